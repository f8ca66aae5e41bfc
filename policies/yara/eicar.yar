// The test file that every malware scanner finds: 68 harmless bytes, agreed upon by EICAR. Drop it into the staging
// folder to see a refusal. The gateway has this rule built in and tests the scanner with it every hour; here it serves
// as the smallest example. (Written in two halves, so that no scanner takes this file for the test file.)
rule eicar_test_file
{
    meta:
        description = "The EICAR test file"
        reference = "https://www.eicar.org/download-anti-malware-testfile/"
    strings:
        $first = "X5O!P%@AP[4\\PZX54(P^)7CC)7}"
        $second = "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    condition:
        $first at 0 and $second at 27
}
