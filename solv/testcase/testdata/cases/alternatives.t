# What else would have done, and why each package is there.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: x
#>=Rec: y
#>=Pkg: B 1 1 noarch
#>=Prv: x
#>=Pkg: C 1 1 noarch
#>=Prv: x = 2
#>=Pkg: D 1 1 noarch
#>=Prv: y
#>=Pkg: E 1 1 noarch
#>=Prv: y
#>=Prv: x
#>=Pkg: F 1 1 noarch
#>=Sup: B
system x86_64 rpm
job install name A
result transaction,problems,alternatives,reason,recommended <inline>
#>install A-1-1.noarch@avail
#>install E-1-1.noarch@avail
#>reason A-1-1.noarch@avail unit e3367ebbf8fdab7f236b410f8c36bca7
#>reason E-1-1.noarch@avail resolve 29da0497d1dbd7f3a807b8faa76a8619
#>recommended E-1-1.noarch@avail
nextjob
job install name A
job install name C
result transaction,problems,alternatives,reason,recommended <inline>
#>alternative fc3f5b04  0 y, recommended by A-1-1.noarch
#>alternative fc3f5b04  1 + D-1-1.noarch@avail
#>alternative fc3f5b04  2   E-1-1.noarch@avail
#>install A-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>install D-1-1.noarch@avail
#>reason A-1-1.noarch@avail unit e3367ebbf8fdab7f236b410f8c36bca7
#>reason C-1-1.noarch@avail unit d4a4d74a2e7b7f2573c8d08e6a8400ee
#>reason D-1-1.noarch@avail recommended y A-1-1.noarch@avail
#>recommended D-1-1.noarch@avail
nextjob
job install provides x
job disfavor name B
result transaction,problems,alternatives,reason,recommended <inline>
#>alternative 62d711ef  0 x
#>alternative 62d711ef  1 + C-1-1.noarch@avail
#>alternative 62d711ef  2   E-1-1.noarch@avail
#>alternative 62d711ef  3   B-1-1.noarch@avail
#>install C-1-1.noarch@avail
#>reason C-1-1.noarch@avail job f36ca54059eb058e8ddbd22bf7d0af26
