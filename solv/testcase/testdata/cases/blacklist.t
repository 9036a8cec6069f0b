# A blacklisted package comes only by a direct request.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: ptf
#>=Pkg: P 1 1 noarch
#>=Prv: ptf
system x86_64 rpm
job blacklist name P
job install name A
result transaction,problems <inline>
#>problem fc786588 info package A-1-1.noarch requires ptf, but none of the providers can be installed
#>problem fc786588 solution 23f73f5b deljob install name A
#>problem fc786588 solution 2b4908a6 allow P-1-1.noarch@avail
nextjob
job blacklist name P
job install name P
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@avail
#>install P-1-1.noarch@avail
#>problem 90ab2e72 info package P-1-1.noarch can only be installed by a direct request
#>problem 90ab2e72 solution 24fe260d deljob install name A
#>problem 90ab2e72 solution 24fe260d deljob install name P
#>problem 90ab2e72 solution 2b4908a6 allow P-1-1.noarch@avail
