# An upgrade of the distribution follows its repositories, down as well.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 2 1 noarch
#>=Pkg: B 1 1 noarch
#>=Vnd: red
#>=Pkg: C 1 1 i686
#>=Pkg: O 1 1 noarch
#>=Pkg: P 1 1 noarch
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Pkg: B 2 1 noarch
#>=Vnd: blue
#>=Pkg: C 1 1 x86_64
#>=Pkg: Q 1 1 noarch
#>=Obs: P
repo other 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 3 1 noarch
#>=Pkg: O 2 1 noarch
system x86_64 rpm system
job distupgrade repo avail
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
job distupgrade all packages
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>upgrade A-2-1.noarch@system A-3-1.noarch@other
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
#>upgrade O-1-1.noarch@system O-2-1.noarch@other
nextjob
solverflags !dupallowdowngrade
job distupgrade repo avail
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>problem f15f529a info problem with installed package A-2-1.noarch
#>problem f15f529a solution 08fc553c allow A-3-1.noarch@other
#>problem f15f529a solution e1ca93ed replace A-2-1.noarch@system A-1-1.noarch@avail
#>upgrade A-2-1.noarch@system A-3-1.noarch@other
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
solverflags !dupallowvendorchange
job distupgrade repo avail
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>problem bd1dfba0 info problem with installed package B-1-1.noarch
#>problem bd1dfba0 solution 96a359b4 replace B-1-1.noarch@system B-2-1.noarch@avail
#>problem bd1dfba0 solution c0fa064f allow B-1-1.noarch@system
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
solverflags !dupallowarchchange
job distupgrade repo avail
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>problem 705c4d3c info problem with installed package C-1-1.i686
#>problem 705c4d3c solution 15c80df3 allow C-1-1.i686@system
#>problem 705c4d3c solution 868f9ece replace C-1-1.i686@system C-1-1.x86_64@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
solverflags !dupallownamechange
job distupgrade repo avail
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>problem 8855d1d1 info problem with installed package P-1-1.noarch
#>problem 8855d1d1 solution 64c2893f allow P-1-1.noarch@system
#>problem 8855d1d1 solution e237f354 replace P-1-1.noarch@system Q-1-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
solverflags keeporphans
job distupgrade repo avail
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
job distupgrade name A [targeted]
result transaction,problems <inline>
#>upgrade A-2-1.noarch@system A-3-1.noarch@other
nextjob
job distupgrade repo avail
job droporphaned all packages
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
nextjob
job distupgrade repo avail
job install name O = 2
result transaction,problems <inline>
#>change C-1-1.i686@system C-1-1.x86_64@avail
#>downgrade A-2-1.noarch@system A-1-1.noarch@avail
#>erase P-1-1.noarch@system Q-1-1.noarch@avail
#>install Q-1-1.noarch@avail
#>upgrade B-1-1.noarch@system B-2-1.noarch@avail
#>upgrade O-1-1.noarch@system O-2-1.noarch@other
