# A request overrides the policies about what it names.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 i686
#>=Vnd: red
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 x86_64
#>=Vnd: red
#>=Pkg: A 1 1 i686
#>=Vnd: red
#>=Pkg: A 3 1 i686
#>=Vnd: blue
system x86_64 rpm system
job update name A
result transaction,problems <inline>
nextjob
job install name A . x86_64 [setarch]
result transaction,problems <inline>
#>change A-2-1.i686@system A-2-1.x86_64@avail
nextjob
job install name A = 1
result transaction,problems <inline>
#>downgrade A-2-1.i686@system A-1-1.i686@avail
nextjob
job install name A = 1 [setevr]
result transaction,problems <inline>
#>downgrade A-2-1.i686@system A-1-1.i686@avail
nextjob
job install name A = 3 [setvendor]
result transaction,problems <inline>
#>upgrade A-2-1.i686@system A-3-1.i686@avail
nextjob
job update name A [targeted]
result transaction,problems <inline>
nextjob
job install pkg A-3-1.i686@avail
result transaction,problems <inline>
#>upgrade A-2-1.i686@system A-3-1.i686@avail
nextjob
job install pkg A-3-1.i686@avail [noautoset]
result transaction,problems <inline>
#>problem cf6d18be info cannot install both A-3-1.i686 and A-2-1.i686
#>problem cf6d18be solution d7e050db replace A-2-1.i686@system A-3-1.i686@avail
#>problem cf6d18be solution f37102d7 deljob install pkg A-3-1.i686@avail [noautoset]
nextjob
job install name A [orupdate]
result transaction,problems <inline>
nextjob
solverflags allowvendorchange
job update name A [forcebest]
result transaction,problems <inline>
#>change A-2-1.i686@system A-2-1.x86_64@avail
#>problem 4955dcfb info cannot install both A-2-1.x86_64 and A-2-1.i686
#>problem 4955dcfb solution 4fa3723a allow A-3-1.i686@avail
#>problem 4955dcfb solution cd427f65 replace A-2-1.i686@system A-2-1.x86_64@avail
nextjob
job update name A [forcebest]
result transaction,problems <inline>
#>change A-2-1.i686@system A-2-1.x86_64@avail
#>problem aa952613 info cannot install both A-2-1.x86_64 and A-2-1.i686
#>problem aa952613 solution 4fa3723a allow A-2-1.i686@system
#>problem aa952613 solution d7e050db replace A-2-1.i686@system A-2-1.x86_64@avail
