# The cheaper of two repositories breaks a tie; priority comes before version.
repo dear 99.1 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: B 2 1 noarch
repo cheap 99.2 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: B 1 1 noarch
repo best 100 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: C 1 1 noarch
repo worst 98 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: C 2 1 noarch
#>=Pkg: C 1 1 noarch
system x86_64 rpm
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@cheap
nextjob
job install name B
result transaction,problems <inline>
#>install B-2-1.noarch@dear
nextjob
job install name C
result transaction,problems <inline>
#>install C-1-1.noarch@best
nextjob
job install name C = 2
result transaction,problems <inline>
#>install C-2-1.noarch@worst
nextjob
job install name C [forcebest]
result transaction,problems <inline>
#>install C-1-1.noarch@best
