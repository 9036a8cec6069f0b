# A release that is not named does not matter; no version fits all.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Prv: c = 1-1
#>=Pkg: B 1 1 noarch
#>=Prv: d = 1
#>=Pkg: C 1 1 noarch
#>=Prv: e
#>=Pkg: R 1 1 noarch
#>=Req: c = 1
#>=Pkg: S 1 1 noarch
#>=Req: c = 1-2
#>=Pkg: T 1 1 noarch
#>=Req: d = 1-7
#>=Pkg: U 1 1 noarch
#>=Req: d < 1-7
#>=Pkg: V 1 1 noarch
#>=Req: e >= 5
#>=Pkg: W 1 1 noarch
#>=Req: c > 0:1~rc
#>=Pkg: X 1 1 noarch
#>=Req: c < 1^post
#>=Pkg: Y 1 1 noarch
#>=Req: d > 1-7
system x86_64 rpm
job install name R
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install R-1-1.noarch@avail
nextjob
job install name S
result transaction,problems <inline>
#>problem 5e1ba8ff info nothing provides c = 1-2 needed by S-1-1.noarch
#>problem 5e1ba8ff solution c076fb2d deljob install name S
nextjob
job install name T
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install T-1-1.noarch@avail
nextjob
job install name U
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install U-1-1.noarch@avail
nextjob
job install name V
result transaction,problems <inline>
#>install C-1-1.noarch@avail
#>install V-1-1.noarch@avail
nextjob
job install name W
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install W-1-1.noarch@avail
nextjob
job install name X
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install X-1-1.noarch@avail
nextjob
job install name Y
result transaction,problems <inline>
#>install B-1-1.noarch@avail
#>install Y-1-1.noarch@avail
