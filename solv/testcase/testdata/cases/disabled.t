# What is excluded is no provider, and says so if the pool shows it.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: B
#>=Pkg: B 1 1 noarch
system x86_64 rpm
poolflags whatprovideswithdisabled
disable pkg B-1-1.noarch@avail
job install name A
result transaction,problems <inline>
#>problem 7f26e53b info package B-1-1.noarch is disabled
#>problem 7f26e53b solution 23f73f5b deljob install name A
