# What only an erased package needed goes with it, unless the user wants it.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: app 1 1 noarch
#>=Req: lib
#>=Rec: extra
#>=Pkg: lib 1 1 noarch
#>=Req: base
#>=Pkg: base 1 1 noarch
#>=Pkg: extra 1 1 noarch
system x86_64 rpm system
job userinstalled name base
job userinstalled name app
job erase name app [cleandeps]
result transaction,problems,cleandeps <inline>
#>cleandeps extra-1-1.noarch@system
#>cleandeps lib-1-1.noarch@system
#>erase app-1-1.noarch@system
#>erase extra-1-1.noarch@system
#>erase lib-1-1.noarch@system
nextjob
job userinstalled name base
result transaction,unneeded,userinstalled <inline>
#>autoinst name app
#>autoinst name extra
#>autoinst name lib
#>unneeded extra-1-1.noarch@system
#>unneeded lib-1-1.noarch@system
#>unneeded_filtered app-1-1.noarch@system
#>userinstalled pkg base-1-1.noarch@system
