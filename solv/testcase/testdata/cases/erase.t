# One package that is erased takes its other builds with it; what needs it keeps it.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: B 1 1 noarch
#>=Req: A
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: A 2 1 noarch
#>=Pkg: C 1 1 noarch
#>=Req: A
system x86_64 rpm system
job erase name A
result transaction,problems <inline>
#>problem d8d75c93 info package B-1-1.noarch requires A, but none of the providers can be installed
#>problem d8d75c93 solution 04cd87c0 deljob erase name A
#>problem d8d75c93 solution 96a359b4 erase B-1-1.noarch@system
nextjob
solverflags allowuninstall
job erase name A
result transaction,problems <inline>
#>erase A-1-1.noarch@system
#>erase B-1-1.noarch@system
nextjob
job erase name A
job allowuninstall name B
result transaction,problems <inline>
#>erase A-1-1.noarch@system
#>erase B-1-1.noarch@system
nextjob
job erase name A
job erase name B
job install name C
result transaction,problems <inline>
#>erase B-1-1.noarch@system
#>problem 99b828a7 info package C-1-1.noarch requires A, but none of the providers can be installed
#>problem 99b828a7 solution 04cd87c0 deljob erase name A
#>problem 99b828a7 solution 8635dbf5 deljob install name C
nextjob
job erase pkg A-1-1.noarch@system
job update name B
result transaction,problems <inline>
#>problem d8d75c93 info package B-1-1.noarch requires A, but none of the providers can be installed
#>problem d8d75c93 solution 894d9e1d deljob erase pkg A-1-1.noarch@system
#>problem d8d75c93 solution 96a359b4 erase B-1-1.noarch@system
nextjob
job erase name A = 1
job allowuninstall all packages
result transaction,problems <inline>
#>erase A-1-1.noarch@system
#>erase B-1-1.noarch@system
nextjob
job erase name A [weak]
result transaction,problems <inline>
