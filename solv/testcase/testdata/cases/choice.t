# Of those that would do, the one that updates or keeps what is installed comes.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Prv: x
#>=Pkg: B 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
#>=Prv: x
#>=Pkg: C 9 1 noarch
#>=Prv: x
#>=Pkg: D 1 1 noarch
#>=Req: x
#>=Pkg: E 1 1 noarch
#>=Req: x = 1
#>=Pkg: F 9 1 noarch
#>=Prv: x = 1
#>=Pkg: B 2 1 noarch
#>=Prv: x = 1
system x86_64 rpm system
job install name D
result transaction,problems <inline>
#>install D-1-1.noarch@avail
nextjob
job install name E
result transaction,problems <inline>
#>install E-1-1.noarch@avail
nextjob
job install provides x = 1
result transaction,problems <inline>
nextjob
job install provides x = 1
job lock name B
result transaction,problems <inline>
nextjob
solverflags focusbest
job install name E
result transaction,problems <inline>
#>install E-1-1.noarch@avail
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
