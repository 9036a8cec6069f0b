# What conflicts with itself does not; what conflicts with the system cannot be installed; obsoletes name packages.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: old 1 1 noarch
#>=Prv: cap
#>=Pkg: keeper 1 1 noarch
#>=Obs: foe
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Con: A
#>=Prv: a
#>=Con: a
#>=Pkg: B 1 1 noarch
#>=Con: namespace:language(de)
#>=Pkg: C 1 1 noarch
#>=Obs: cap
#>=Pkg: D 1 1 noarch
#>=Obs: old < 2
#>=Pkg: E 1 1 noarch
#>=Obs: old > 2
#>=Pkg: foe 1 1 noarch
system x86_64 rpm system
namespace namespace:language(de) @SYSTEM
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@avail
nextjob
namespace namespace:language(de) @SYSTEM
job install name B
result transaction,problems <inline>
#>problem 85adcf80 info package B-1-1.noarch conflicts with namespace:language(de) provided by system:system.noarch
#>problem 85adcf80 solution f229cf9d deljob install name B
nextjob
namespace namespace:language(de) @SYSTEM
job install name C
result transaction,problems <inline>
#>install C-1-1.noarch@avail
nextjob
namespace namespace:language(de) @SYSTEM
job install name D
result transaction,problems <inline>
#>erase old-1-1.noarch@system D-1-1.noarch@avail
#>install D-1-1.noarch@avail
nextjob
namespace namespace:language(de) @SYSTEM
job install name E
result transaction,problems <inline>
#>install E-1-1.noarch@avail
nextjob
namespace namespace:language(de) @SYSTEM
job install name foe
result transaction,problems <inline>
#>problem 6fef3cfd info installed package keeper-1-1.noarch obsoletes foe provided by foe-1-1.noarch
#>problem 6fef3cfd solution 00c7da78 erase keeper-1-1.noarch@system
#>problem 6fef3cfd solution b2a021ce deljob install name foe
