# Of equal providers the favored one is taken, the disfavored one only if need be.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Prv: mail
#>=Pkg: B 1 1 noarch
#>=Prv: mail
#>=Pkg: C 1 1 noarch
#>=Req: mail
#>=Rec: D
#>=Pkg: D 1 1 noarch
system x86_64 rpm
job install name C
result transaction,problems,alternatives <inline>
#>alternative 11443d75  0 mail, required by C-1-1.noarch
#>alternative 11443d75  1 + A-1-1.noarch@avail
#>alternative 11443d75  2   B-1-1.noarch@avail
#>install A-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
nextjob
job install name C
job favor name B
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
nextjob
job install name C
job disfavor name A
job disfavor name D
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
