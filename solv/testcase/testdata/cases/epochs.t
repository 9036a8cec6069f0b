# Versions of which only one has an epoch, and releases with a distribution's epoch.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: lib 2:1.0 1 noarch
#>=Pkg: app 1 1 noarch
#>=Req: lib = 1.0
#>=Pkg: app2 1 1 noarch
#>=Req: lib < 2
#>=Pkg: dist 1 1:2018 noarch
#>=Pkg: dist 1 1:2019 noarch
#>=Pkg: dist 1 1:2017 noarch
#>=Pkg: needs 1 1 noarch
#>=Req: dist = 1-1:2018
#>=Pkg: needs2 1 1 noarch
#>=Req: dist >= 1-1
system x86_64 rpm
poolflags promoteepoch
job install name app
job install name app2
result transaction,problems <inline>
#>install app-1-1.noarch@avail
#>install app2-1-1.noarch@avail
#>install lib-2:1.0-1.noarch@avail

nextjob
poolflags havedistepoch
job install name dist
result transaction,problems <inline>
#>install dist-1-1:2019.noarch@avail

nextjob
poolflags havedistepoch
job install name needs
job install name needs2
result transaction,problems <inline>
#>install dist-1-1:2018.noarch@avail
#>install needs-1-1.noarch@avail
#>install needs2-1-1.noarch@avail

nextjob
job install name app
result transaction,problems <inline>
#>problem a1ab6223 info nothing provides lib = 1.0 needed by app-1-1.noarch
#>problem a1ab6223 solution 92446d57 deljob install name app

nextjob
job install name dist
result transaction,problems <inline>
#>install dist-1-1:2019.noarch@avail
