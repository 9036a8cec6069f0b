# Few changes, or the best packages: what is asked for and new decides.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: lib 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: lib 2 1 noarch
#>=Pkg: app 1 1 noarch
#>=Req: lib
#>=Pkg: plugin 1 1 noarch
#>=Prv: ext
#>=Pkg: plugin 2 1 noarch
#>=Prv: ext
#>=Req: lib > 1
system x86_64 rpm system
job install name app
job install provides ext
result transaction,problems <inline>
#>install app-1-1.noarch@avail
#>install plugin-2-1.noarch@avail
#>upgrade lib-1-1.noarch@system lib-2-1.noarch@avail
nextjob
solverflags focusbest
job install name app
job install provides ext
result transaction,problems <inline>
#>install app-1-1.noarch@avail
#>install plugin-2-1.noarch@avail
#>upgrade lib-1-1.noarch@system lib-2-1.noarch@avail
nextjob
solverflags focusnew
job install name app
result transaction,problems <inline>
#>install app-1-1.noarch@avail
nextjob
solverflags focusinstalled
job install name app
job update all packages
result transaction,problems <inline>
#>install app-1-1.noarch@avail
#>upgrade lib-1-1.noarch@system lib-2-1.noarch@avail
