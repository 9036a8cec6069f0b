# Conditions, alternatives and sets of one package in requirements.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: B & C
#>=Pkg: B 1 1 noarch
#>=Pkg: C 1 1 noarch
#>=Pkg: D 1 1 noarch
#>=Pkg: E 1 1 noarch
#>=Req: B <IF> C
#>=Pkg: F 1 1 noarch
#>=Req: B <IF> (C <ELSE> D)
#>=Pkg: G 1 1 noarch
#>=Req: B <UNLESS> C
#>=Pkg: H 1 1 noarch
#>=Req: B <UNLESS> (C <ELSE> D)
#>=Pkg: I 1 1 noarch
#>=Req: x + y
#>=Pkg: X 1 1 noarch
#>=Prv: x
#>=Pkg: Y 1 1 noarch
#>=Prv: y
#>=Pkg: Z 1 1 noarch
#>=Prv: x
#>=Prv: y
#>=Pkg: J 1 1 noarch
#>=Req: x - y
#>=Pkg: K 1 1 noarch
#>=Req: N | D
#>=Pkg: L 1 1 noarch
#>=Req: N & B
#>=Pkg: M 1 1 noarch
#>=Req: (B & C) | D
system x86_64 rpm
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
nextjob
job install name E
result transaction,problems <inline>
#>install E-1-1.noarch@avail
nextjob
job install name F
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install F-1-1.noarch@avail
nextjob
job install name E
job install name C
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install E-1-1.noarch@avail
nextjob
job install name F
job install name C
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install F-1-1.noarch@avail
nextjob
job install name G
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install G-1-1.noarch@avail
nextjob
job install name G
job install name C
result transaction,problems <inline>
#>problem 6a811f78 info package G-1-1.noarch requires (B unless C), but none of the providers can be installed
#>problem 6a811f78 solution 4b409f4e deljob install name G
#>problem 6a811f78 solution 8635dbf5 deljob install name C
nextjob
job install name H
job install name C
result transaction,problems <inline>
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
#>install H-1-1.noarch@avail
nextjob
job install name I
result transaction,problems <inline>
#>install I-1-1.noarch@avail
#>install Z-1-1.noarch@avail
nextjob
job install name J
result transaction,problems <inline>
#>install J-1-1.noarch@avail
#>install X-1-1.noarch@avail
nextjob
job install name K
result transaction,problems <inline>
#>install D-1-1.noarch@avail
#>install K-1-1.noarch@avail
nextjob
job install name L
result transaction,problems <inline>
#>problem 511e0f43 info nothing provides (N and B) needed by L-1-1.noarch
#>problem 511e0f43 solution 40ef5f18 deljob install name L
nextjob
job install name M
job erase name D
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install M-1-1.noarch@avail
