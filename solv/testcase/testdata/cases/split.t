# A package that was split is replaced by all of its parts.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: all 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: part1 2 1 noarch
#>=Obs: all < 2
#>=Pkg: part2 2 1 noarch
#>=Obs: all < 2
system x86_64 rpm system
solverflags yumobsoletes
job update all packages
result transaction,problems <inline>
#>erase all-1-1.noarch@system part1-2-1.noarch@avail
#>install part1-2-1.noarch@avail
#>install part2-2-1.noarch@avail
