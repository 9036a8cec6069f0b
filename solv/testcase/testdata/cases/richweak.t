# A recommendation with a condition counts once the condition does.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: S 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Rec: B <IF> C
#>=Pkg: B 1 1 noarch
#>=Pkg: C 1 1 noarch
#>=Pkg: D 1 1 noarch
#>=Sup: A & C
#>=Pkg: E 1 1 noarch
#>=Rec: B <IF> S
#>=Pkg: F 1 1 noarch
#>=Rec: (B & C)
#>=Pkg: G 1 1 noarch
#>=Rec: N | C
#>=Pkg: H 1 1 noarch
#>=Rec: B <UNLESS> C
#>=Pkg: I 1 1 noarch
#>=Sup: S <IF> C
system x86_64 rpm system
job install name A
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name A
job install name C
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended D-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name E
result transaction,problems,recommended <inline>
#>install B-1-1.noarch@avail
#>install E-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name F
result transaction,problems,recommended <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install F-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name G
result transaction,problems,recommended <inline>
#>install C-1-1.noarch@avail
#>install G-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name H
result transaction,problems,recommended <inline>
#>install B-1-1.noarch@avail
#>install H-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name H
job install name C
result transaction,problems,recommended <inline>
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install H-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
nextjob
job install name C
result transaction,problems,recommended <inline>
#>install C-1-1.noarch@avail
#>recommended I-1-1.noarch@avail
