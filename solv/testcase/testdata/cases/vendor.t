# Vendors, architectures and names change only if that is allowed, or asked for.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 x86_64
#>=Vnd: one
#>=Pkg: B 1 1 x86_64
#>=Vnd: one
#>=Pkg: C 1 1 x86_64
#>=Vnd: one
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 x86_64
#>=Vnd: two
#>=Pkg: B 2 1 i686
#>=Vnd: one
#>=Pkg: D 2 1 x86_64
#>=Vnd: one
#>=Obs: C
system x86_64 rpm system
job update all packages
result transaction,problems <inline>
#>erase C-1-1.x86_64@system D-2-1.x86_64@avail
#>install D-2-1.x86_64@avail
nextjob
solverflags allowvendorchange !allownamechange
job update all packages
result transaction,problems <inline>
#>upgrade A-1-1.x86_64@system A-2-1.x86_64@avail
nextjob
vendorclass one two
solverflags allowarchchange
job update all packages
result transaction,problems <inline>
#>erase C-1-1.x86_64@system D-2-1.x86_64@avail
#>install D-2-1.x86_64@avail
#>upgrade A-1-1.x86_64@system A-2-1.x86_64@avail
