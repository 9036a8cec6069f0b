# What is in no repository stays in a distribution upgrade, or goes if it is asked for.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: old 1 1 noarch
#>=Req: A
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
system x86_64 rpm system
job distupgrade all packages
result transaction,problems,orphaned <inline>
#>orphaned old-1-1.noarch@system
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
nextjob
solverflags keeporphans
job distupgrade all packages
job droporphaned all packages
result transaction,problems,orphaned <inline>
#>erase old-1-1.noarch@system
#>orphaned old-1-1.noarch@system
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
