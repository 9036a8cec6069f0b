# Packages of two word sizes keep one version.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: glibc 1 1 i686
#>=Pkg: glibc 1 1 x86_64
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: glibc 2 1 i686
#>=Pkg: glibc 2 1 x86_64
#>=Pkg: app 1 1 x86_64
#>=Req: glibc = 2-1
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update name glibc
result transaction,problems <inline>
#>upgrade glibc-1-1.i686@system glibc-2-1.i686@avail
#>upgrade glibc-1-1.x86_64@system glibc-2-1.x86_64@avail
nextjob
job install name app
result transaction,problems <inline>
#>install app-1-1.x86_64@avail
#>upgrade glibc-1-1.i686@system glibc-2-1.i686@avail
#>upgrade glibc-1-1.x86_64@system glibc-2-1.x86_64@avail
