# What nothing needs any more goes, with what only that needs, in circles too.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: L
#>=Pkg: L 1 1 noarch
#>=Req: M
#>=Pkg: M 1 1 noarch
#>=Req: L
#>=Pkg: R 1 1 noarch
#>=Pkg: Q 1 1 noarch
#>=Rec: R
#>=Pkg: T 1 1 noarch
#>=Sup: A
#>=Pkg: U 1 1 noarch
#>=Req: T
#>=Pkg: V 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
system x86_64 rpm system
job userinstalled name A
job userinstalled name Q
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name L
#>autoinst name M
#>autoinst name R
#>autoinst name T
#>autoinst name U
#>autoinst name V
#>unneeded_filtered U-1-1.noarch@system
#>unneeded_filtered V-1-1.noarch@system
#>userinstalled pkg A-1-1.noarch@system
#>userinstalled pkg Q-1-1.noarch@system
nextjob
job userinstalled name A
job userinstalled name Q
job erase name A [cleandeps]
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name R
#>autoinst name T
#>autoinst name U
#>autoinst name V
#>cleandeps L-1-1.noarch@system
#>cleandeps M-1-1.noarch@system
#>erase A-1-1.noarch@system
#>erase L-1-1.noarch@system
#>erase M-1-1.noarch@system
#>unneeded L-1-1.noarch@system
#>unneeded M-1-1.noarch@system
#>unneeded T-1-1.noarch@system
#>unneeded_filtered A-1-1.noarch@system
#>unneeded_filtered U-1-1.noarch@system
#>unneeded_filtered V-1-1.noarch@system
#>userinstalled pkg Q-1-1.noarch@system
nextjob
job userinstalled name A
job userinstalled name U
job erase name A [cleandeps]
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name Q
#>autoinst name R
#>autoinst name T
#>autoinst name V
#>cleandeps L-1-1.noarch@system
#>cleandeps M-1-1.noarch@system
#>erase A-1-1.noarch@system
#>erase L-1-1.noarch@system
#>erase M-1-1.noarch@system
#>unneeded L-1-1.noarch@system
#>unneeded M-1-1.noarch@system
#>unneeded R-1-1.noarch@system
#>unneeded_filtered A-1-1.noarch@system
#>unneeded_filtered Q-1-1.noarch@system
#>unneeded_filtered V-1-1.noarch@system
#>userinstalled pkg U-1-1.noarch@system
nextjob
job userinstalled name A
job userinstalled name Q
job update name A [cleandeps]
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name R
#>autoinst name T
#>autoinst name U
#>autoinst name V
#>cleandeps L-1-1.noarch@system
#>cleandeps M-1-1.noarch@system
#>erase L-1-1.noarch@system
#>erase M-1-1.noarch@system
#>unneeded_filtered U-1-1.noarch@system
#>unneeded_filtered V-1-1.noarch@system
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
#>userinstalled pkg A-2-1.noarch@avail
#>userinstalled pkg Q-1-1.noarch@system
nextjob
job userinstalled name Q
job erase name Q [cleandeps]
job userinstalled name A
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name L
#>autoinst name M
#>autoinst name T
#>autoinst name U
#>autoinst name V
#>cleandeps R-1-1.noarch@system
#>erase Q-1-1.noarch@system
#>erase R-1-1.noarch@system
#>unneeded R-1-1.noarch@system
#>unneeded_filtered Q-1-1.noarch@system
#>unneeded_filtered U-1-1.noarch@system
#>unneeded_filtered V-1-1.noarch@system
#>userinstalled pkg A-1-1.noarch@system
nextjob
autoinst name L
autoinst name M
autoinst name R
autoinst name T
job erase name A [cleandeps]
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name R
#>autoinst name T
#>cleandeps L-1-1.noarch@system
#>cleandeps M-1-1.noarch@system
#>erase A-1-1.noarch@system
#>erase L-1-1.noarch@system
#>erase M-1-1.noarch@system
#>unneeded L-1-1.noarch@system
#>unneeded M-1-1.noarch@system
#>unneeded_filtered A-1-1.noarch@system
#>userinstalled pkg Q-1-1.noarch@system
#>userinstalled pkg U-1-1.noarch@system
#>userinstalled pkg V-1-1.noarch@system
nextjob
job userinstalled name A
job userinstalled name Q
job distupgrade all packages [cleandeps]
result transaction,problems,cleandeps,unneeded,userinstalled <inline>
#>autoinst name V
#>cleandeps L-1-1.noarch@system
#>cleandeps M-1-1.noarch@system
#>cleandeps R-1-1.noarch@system
#>cleandeps T-1-1.noarch@system
#>erase L-1-1.noarch@system
#>erase M-1-1.noarch@system
#>erase R-1-1.noarch@system
#>erase T-1-1.noarch@system
#>erase U-1-1.noarch@system
#>unneeded_filtered U-1-1.noarch@system
#>unneeded_filtered V-1-1.noarch@system
#>upgrade A-1-1.noarch@system A-2-1.noarch@avail
#>userinstalled pkg A-2-1.noarch@avail
#>userinstalled pkg Q-1-1.noarch@system
