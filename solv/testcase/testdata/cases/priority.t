# A better repository hides newer builds of worse ones, and strictly also for requirements.
repo good 1 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
repo bad 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
#>=Pkg: B 1 1 noarch
#>=Req: A = 2-1
repo cheap 0.5 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: B 1 1 noarch
#>=Req: A = 2-1
system x86_64 rpm
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@good
nextjob
job install name B
result transaction,problems <inline>
#>install A-2-1.noarch@bad
#>install B-1-1.noarch@cheap
nextjob
solverflags strictrepopriority
job install name B
result transaction,problems <inline>
#>problem 938fcd90 info package B-1-1.noarch requires A = 2-1, but none of the providers can be installed
#>problem 938fcd90 solution f229cf9d deljob install name B
#>problem 938fcd90 solution fab19a11 allow A-2-1.noarch@bad
