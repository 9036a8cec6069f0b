# Of several candidates those for locales and kernels come first that are there.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: locales-fr 1 1 noarch
#>=Pkg: kernel-desktop-3.10.2-1 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: dict-de 1 1 noarch
#>=Prv: dict
#>=Req: locales-de
#>=Pkg: dict-en 1 1 noarch
#>=Prv: dict
#>=Req: locales-en
#>=Pkg: dict-fr 1 1 noarch
#>=Prv: dict
#>=Req: locales-fr
#>=Pkg: help-de 1 1 noarch
#>=Prv: help
#>=Req: locales-de
#>=Pkg: help-en 1 1 noarch
#>=Prv: help
#>=Req: locales-en
#>=Pkg: help-plain 1 1 noarch
#>=Prv: help
#>=Pkg: locales-de 1 1 noarch
#>=Pkg: locales-en 1 1 noarch
#>=Pkg: driver-kernel-3.9.1-desktop-1 1 1 noarch
#>=Prv: driver
#>=Pkg: driver-kernel-3.10.2-desktop-1 1 1 noarch
#>=Prv: driver
#>=Pkg: kernel-desktop-devel-3.9.1-1 1 1 noarch
#>=Prv: devel
#>=Pkg: kernel-desktop-devel-3.10.2-1 1 1 noarch
#>=Prv: devel
system x86_64 rpm system
solverflags urpmreorder
job install provides dict
job install provides help
job install provides driver
job install provides devel
result transaction,problems <inline>
#>install dict-fr-1-1.noarch@avail
#>install driver-kernel-3.10.2-desktop-1-1-1.noarch@avail
#>install help-en-1-1.noarch@avail
#>install kernel-desktop-devel-3.10.2-1-1-1.noarch@avail
#>install locales-en-1-1.noarch@avail

nextjob
job install provides dict
job install provides help
job install provides driver
job install provides devel
result transaction,problems <inline>
#>install dict-de-1-1.noarch@avail
#>install driver-kernel-3.10.2-desktop-1-1-1.noarch@avail
#>install help-de-1-1.noarch@avail
#>install kernel-desktop-devel-3.10.2-1-1-1.noarch@avail
#>install locales-de-1-1.noarch@avail
