# Kernels come beside each other.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: kernel 1 1 x86_64
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: kernel 2 1 x86_64
system x86_64 rpm system
job multiversion name kernel
job install name kernel = 2-1
result transaction,problems <inline>
#>install kernel-2-1.x86_64@avail
nextjob
job install name kernel = 2-1
result transaction,problems <inline>
#>upgrade kernel-1-1.x86_64@system kernel-2-1.x86_64@avail
