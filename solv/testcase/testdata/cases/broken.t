# What is broken on the system is left alone, unless it is to be verified.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: B
#>=Pkg: C 1 1 noarch
#>=Con: D
#>=Pkg: D 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: B 1 1 noarch
#>=Pkg: E 1 1 noarch
#>=Pkg: A 2 1 noarch
#>=Req: B
system x86_64 rpm system
job install name E
result transaction,problems <inline>
#>install E-1-1.noarch@avail
nextjob
job verify name A
result transaction,problems <inline>
#>install B-1-1.noarch@avail
nextjob
job verify name C
result transaction,problems <inline>
#>erase D-1-1.noarch@system
#>problem fe8f8d8d info package C-1-1.noarch conflicts with D provided by D-1-1.noarch
#>problem fe8f8d8d solution 0d75a914 erase D-1-1.noarch@system
#>problem fe8f8d8d solution aab45651 erase C-1-1.noarch@system
nextjob
solverflags allowuninstall
job verify all packages
result transaction,problems <inline>
#>erase D-1-1.noarch@system
#>install B-1-1.noarch@avail
nextjob
job update name A
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
