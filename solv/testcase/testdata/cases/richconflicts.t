# A condition that conflicts is negated as a whole.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Con: B & C
#>=Pkg: B 1 1 noarch
#>=Pkg: C 1 1 noarch
#>=Pkg: D 1 1 noarch
#>=Con: B | C
#>=Pkg: E 1 1 noarch
#>=Con: B <IF> C
#>=Pkg: F 1 1 noarch
#>=Con: B <UNLESS> C
#>=Pkg: G 1 1 noarch
#>=Con: x + y
#>=Pkg: X 1 1 noarch
#>=Prv: x
#>=Pkg: Z 1 1 noarch
#>=Prv: x
#>=Prv: y
system x86_64 rpm
job install name A
job install name B
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
nextjob
job install name A
job install name B
job install name C
result transaction,problems <inline>
#>problem fba4261a info package A-1-1.noarch conflicts with (B and C) provided by <NULL>
#>problem fba4261a solution 23f73f5b deljob install name A
#>problem fba4261a solution 8635dbf5 deljob install name C
#>problem fba4261a solution f229cf9d deljob install name B
nextjob
job install name D
job install name B
result transaction,problems <inline>
#>problem 7797a904 info package D-1-1.noarch conflicts with (B or C) provided by B-1-1.noarch
#>problem 7797a904 solution 37fc7e07 deljob install name D
#>problem 7797a904 solution f229cf9d deljob install name B
nextjob
job install name E
job install name B
result transaction,problems <inline>
#>problem bf21895d info package E-1-1.noarch conflicts with (B if C) provided by B-1-1.noarch
#>problem bf21895d solution 4a26307f deljob install name E
#>problem bf21895d solution f229cf9d deljob install name B
nextjob
job install name E
job install name B
job install name C
result transaction,problems <inline>
#>install C-1-1.noarch@avail
#>problem bf21895d info package E-1-1.noarch conflicts with (B if C) provided by B-1-1.noarch
#>problem bf21895d solution 4a26307f deljob install name E
#>problem bf21895d solution f229cf9d deljob install name B
nextjob
job install name F
job install name B
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install F-1-1.noarch@avail
nextjob
job install name F
job install name B
job install name C
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install F-1-1.noarch@avail
nextjob
job install name G
job install name X
result transaction,problems <inline>
#>install G-1-1.noarch@avail
#>install X-1-1.noarch@avail
nextjob
job install name G
job install name Z
result transaction,problems <inline>
#>problem a3ccdf35 info package G-1-1.noarch conflicts with (x with y) provided by Z-1-1.noarch
#>problem a3ccdf35 solution 0bd12385 deljob install name Z
#>problem a3ccdf35 solution 4b409f4e deljob install name G
