# Paths are found in file lists if somebody asks for them, in conditions too.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: S 1 1 noarch
#>=Fls: /opt/s
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: /opt/b
#>=Pkg: B 1 1 noarch
#>=Fls: /opt/b
#>=Pkg: C 1 1 noarch
#>=Req: \2fopt/b & /opt/d
#>=Pkg: D 1 1 noarch
#>=Fls: /opt/d
#>=Pkg: E 1 1 noarch
#>=Con: /opt/s
#>=Pkg: F 1 1 noarch
#>=Rec: \2fopt/b <IF> /opt/s
#>=Pkg: G 1 1 noarch
#>=Req: /opt/none
#>=Pkg: H 1 1 noarch
#>=Sup: /opt/s
system x86_64 rpm system
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
nextjob
job install name C
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
nextjob
job install name E
result transaction,problems <inline>
#>problem 278a44a7 info package E-1-1.noarch conflicts with /opt/s provided by S-1-1.noarch
#>problem 278a44a7 solution 4a26307f deljob install name E
#>problem 278a44a7 solution 89269c97 erase S-1-1.noarch@system
nextjob
job install name F
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install F-1-1.noarch@avail
nextjob
job install name G
result transaction,problems <inline>
#>problem fd202be2 info nothing provides /opt/none needed by G-1-1.noarch
#>problem fd202be2 solution 4b409f4e deljob install name G
nextjob
job install name H
result transaction,problems <inline>
#>install H-1-1.noarch@avail
nextjob
job install name B
result transaction,problems <inline>
#>install B-1-1.noarch@avail
