# Packages may be left out of what is recommended, and requests may be weak.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Rec: B
#>=Pkg: B 1 1 noarch
#>=Pkg: C 1 1 noarch
#>=Sup: A
#>=Pkg: D 1 1 noarch
#>=Con: A
#>=Pkg: E 1 1 noarch
#>=Rec: D
#>=Pkg: F 1 1 noarch
#>=Sug: B
system x86_64 rpm
job install name A
job excludefromweak name B
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
job install name A
job excludefromweak name C
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
job install name A
job disfavor name B
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
solverflags ignorerecommended
job install name A
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
job install name A
job install name D [weak]
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
job install name E
job install name A
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install E-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
solverflags strongrecommends
job install name A
job lock name B
result transaction,problems,recommended <inline>
#>install A-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>recommended B-1-1.noarch@avail
#>recommended C-1-1.noarch@avail
nextjob
job install name F
result transaction,problems,recommended <inline>
#>install F-1-1.noarch@avail
#>suggested B-1-1.noarch@avail
