# A package of an inferior architecture does not come where there is a better one.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 i686
#>=Pkg: A 1 1 x86_64
#>=Pkg: B 1 1 i686
#>=Pkg: C 1 1 noarch
#>=Req: A = 2
system x86_64 rpm
job install name A
result transaction,problems <inline>
#>install A-1-1.x86_64@avail
nextjob
job install name A = 2
result transaction,problems <inline>
#>install A-2-1.i686@avail
nextjob
job install name B
result transaction,problems <inline>
#>install B-1-1.i686@avail
nextjob
job install name C
result transaction,problems <inline>
#>install A-2-1.i686@avail
#>install C-1-1.noarch@avail
nextjob
solverflags noinfarchcheck
job install name C
result transaction,problems <inline>
#>install A-2-1.i686@avail
#>install C-1-1.noarch@avail
nextjob
job install name A . i686
result transaction,problems <inline>
#>install A-2-1.i686@avail
