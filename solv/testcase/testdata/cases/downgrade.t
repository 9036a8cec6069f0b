# A package that cannot be as new as it is goes back before it goes.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
#>=Req: B = 2
#>=Pkg: B 2 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: B = 1
#>=Pkg: B 1 1 noarch
#>=Pkg: C 1 1 noarch
#>=Req: B = 1
#>=Pkg: D 1 1 noarch
#>=Con: A
system x86_64 rpm system
job install name C
result transaction,problems <inline>
#>problem 8a3c8d03 info package C-1-1.noarch requires B = 1, but none of the providers can be installed
#>problem 8a3c8d03 solution 3c170283 replace A-2-1.noarch@system A-1-1.noarch@avail
#>problem 8a3c8d03 solution 3c170283 replace B-2-1.noarch@system B-1-1.noarch@avail
#>problem 8a3c8d03 solution 8635dbf5 deljob install name C
nextjob
solverflags allowdowngrade
job install name C
result transaction,problems <inline>
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>downgrade B-2-1.noarch@system B-1-1.noarch@avail
#>install C-1-1.noarch@avail
nextjob
job install name D
result transaction,problems <inline>
#>problem 410d5475 info package D-1-1.noarch conflicts with A provided by A-2-1.noarch
#>problem 410d5475 solution 1970d049 erase A-2-1.noarch@system
#>problem 410d5475 solution 37fc7e07 deljob install name D
nextjob
solverflags allowuninstall
job install name D
result transaction,problems <inline>
#>erase A-2-1.noarch@system
#>install D-1-1.noarch@avail
nextjob
solverflags allowuninstall
job install name C
result transaction,problems <inline>
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>downgrade B-2-1.noarch@system B-1-1.noarch@avail
#>install C-1-1.noarch@avail
