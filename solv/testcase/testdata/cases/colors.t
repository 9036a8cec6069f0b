# Only packages of one word size exclude each other by their name.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: L 1 1 x86_64
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: L 1 1 i686
#>=Pkg: L 2 1 i686
#>=Pkg: L 2 1 x86_64
#>=Pkg: N 1 1 noarch
#>=Pkg: N 2 1 x86_64
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name L = 1
job install name L . i686
result transaction,problems <inline>
#>install L-2-1.i686@avail
nextjob
job install name L = 1-1
job install name L . i686
job install name L . x86_64
result transaction,problems <inline>
#>install L-2-1.i686@avail
nextjob
poolflags implicitobsoleteusescolors
job install name L . i686
job update all packages
result transaction,problems <inline>
#>install L-2-1.i686@avail
#>upgrade L-1-1.x86_64@system L-2-1.x86_64@avail
nextjob
poolflags implicitobsoleteusescolors
job install name N = 1
job install name N = 2
result transaction,problems <inline>
#>problem b5d10b85 info cannot install both N-2-1.x86_64 and N-1-1.noarch
#>problem b5d10b85 solution 6af21c93 deljob install name N = 2
#>problem b5d10b85 solution 8d211fce deljob install name N = 1
