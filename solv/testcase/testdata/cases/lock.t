# What is locked stays if it is installed, and out if it is not.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: B 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
#>=Pkg: B 2 1 noarch
#>=Req: A = 2
#>=Pkg: C 1 1 noarch
#>=Pkg: D 1 1 noarch
#>=Req: C
system x86_64 rpm system
job lock name A
job update all packages
result transaction,problems <inline>
nextjob
job lock name C
job install name D
result transaction,problems <inline>
#>problem afc71ada info package D-1-1.noarch requires C, but none of the providers can be installed
#>problem afc71ada solution 37190388 deljob lock name C
#>problem afc71ada solution 37fc7e07 deljob install name D
nextjob
job lock name A
job erase name A
result transaction,problems <inline>
#>problem 2c736da1 info conflicting requests
#>problem 2c736da1 solution 04cd87c0 deljob erase name A
#>problem 2c736da1 solution 079c550b deljob lock name A
nextjob
job lock name A [weak]
job install name B = 2
result transaction,problems <inline>
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
job lock name C [weak]
job install name D
result transaction,problems <inline>
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
