# Who comes beside others drops what obsoletes them, unless that is to be kept.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: K 1 1 noarch
#>=Pkg: O 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: K 2 1 noarch
#>=Obs: O
#>=Pkg: P 1 1 noarch
#>=Obs: O
#>=Obs: K < 2
system x86_64 rpm system
job multiversion name K
job install name K = 2
result transaction,problems <inline>
#>install K-2-1.noarch@avail
nextjob
solverflags keepexplicitobsoletes
job multiversion name K
job install name K = 2
result transaction,problems <inline>
#>erase O-1-1.noarch@system
#>install K-2-1.noarch@avail
nextjob
job multiversion name P
job install name P
result transaction,problems <inline>
#>install P-1-1.noarch@avail
nextjob
job install name P
result transaction,problems <inline>
#>erase K-1-1.noarch@system P-1-1.noarch@avail
#>erase O-1-1.noarch@system P-1-1.noarch@avail
#>install P-1-1.noarch@avail
nextjob
solverflags noupdateprovide
job update all packages
result transaction,problems <inline>
#>erase O-1-1.noarch@system K-2-1.noarch@avail
#>upgrade K-1-1.noarch@system K-2-1.noarch@avail
nextjob
solverflags !allownamechange
job update all packages
result transaction,problems <inline>
