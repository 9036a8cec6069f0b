# A targeted update takes what it names, not the best.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: B 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
#>=Pkg: A 3 1 noarch
#>=Pkg: B 2 1 noarch
system x86_64 rpm system
job update name A = 2-1 [targeted]
result transaction,problems <inline>
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
nextjob
job update pkg A-2-1.noarch@avail
result transaction,problems <inline>
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
nextjob
job update repo avail [targeted]
result transaction,problems <inline>
#>upgrade A-1-1.noarch@system A-3-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
