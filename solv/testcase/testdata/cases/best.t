# With the best wanted, a newer build that is broken is a problem.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: A 2 1 noarch
#>=Req: nothing
system x86_64 rpm
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@avail
nextjob
job install name A [forcebest]
result transaction,problems <inline>
#>problem 75d4fede info nothing provides nothing needed by A-2-1.noarch
#>problem 75d4fede solution ee74e60f deljob install name A [forcebest]
