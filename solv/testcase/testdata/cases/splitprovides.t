# A package comes with the update of the one that it was split from, if that had the file.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: tool 1 1 noarch
#>=Fls: /usr/bin/extra
#>=Pkg: other 1 1 noarch
#>=Fls: /usr/bin/extra
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: tool 2 1 noarch
#>=Pkg: other 2 1 noarch
#>=Pkg: tool-extra 2 1 noarch
#>=Sup: namespace:splitprovides(tool + /usr/bin/extra)
#>=Fls: /usr/bin/extra
#>=Pkg: other-extra 2 1 noarch
#>=Sup: namespace:splitprovides(other + /usr/bin/other-extra)
system x86_64 rpm system
solverflags splitprovides
job update name tool
result transaction,problems <inline>
#>install tool-extra-2-1.noarch@avail
#>upgrade tool-1-1.noarch@system tool-2-1.noarch@avail

nextjob
job update name tool
result transaction,problems <inline>
#>upgrade tool-1-1.noarch@system tool-2-1.noarch@avail

nextjob
solverflags splitprovides
job update name other
result transaction,problems <inline>
#>upgrade other-1-1.noarch@system other-2-1.noarch@avail

nextjob
solverflags splitprovides
job install name other = 2-1
result transaction,problems <inline>
#>upgrade other-1-1.noarch@system other-2-1.noarch@avail
