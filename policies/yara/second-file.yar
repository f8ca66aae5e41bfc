/*
    Rules for the gateway's second malware scanner: an example to begin with, and to copy to a folder of your own.

    `[scanner] yara = "PATH"` in transfer.toml names the folder. Every file in it that ends in .yar or .yara is taken,
    folders in it are not. They are compiled when the gateway starts and within seconds of a change. A file that breaks
    the language stops the start with its name, line and reason. Every rule that matches counts as malware found: the
    file is refused (G9), and the log names the rule. So write rules that say "must not go", and none that only
    classify. `include` is not taken; the modules of YARA-X are.

    Rules see the file as it came and, after that, the rebuilt file, each as a whole. Neither may match.
*/

// A ZIP archive is read from its end: the record that closes it can stand behind any picture or film. The structure
// check of the gateway finds this too; a rule says the same in a second, independent way.
rule zip_behind_a_picture_or_film
{
    meta:
        description = "The closing record of a ZIP archive near the end of a file that begins as a picture or film"
    strings:
        $closing = { 50 4B 05 06 00 00 00 00 }
    condition:
        (
            uint16be(0) == 0xFFD8              // JPEG
            or uint32be(0) == 0x89504E47       // PNG
            or uint32be(0) == 0x47494638       // GIF
            or uint32be(0) == 0x52494646       // WebP
            or uint32be(4) == 0x66747970       // MP4, MOV, HEIC, AVIF
            or uint32be(0) == 0x1A45DFA3       // WebM
        )
        and filesize > 22
        and $closing in (filesize - 65557 .. filesize - 22)
}

// A program for Windows or Linux that begins anywhere behind a picture's end.
rule program_behind_a_jpeg
{
    meta:
        description = "A Windows or Linux program directly behind the end of a JPEG"
    strings:
        $windows = { FF D9 4D 5A 90 00 03 00 00 00 }
        $linux = { FF D9 7F 45 4C 46 (01 | 02) 01 01 }
    condition:
        uint16be(0) == 0xFFD8 and any of them
}

// The gateway refuses texts that are programs by what they are; this one goes by what attackers write.
rule script_that_fetches_and_runs
{
    meta:
        description = "A caption or subtitle file that fetches something and runs it"
    strings:
        $powershell = /powershell(\.exe)?[ \t]{1,8}-e[ncodedma]{0,13}[ \t]/ nocase
        $download = "DownloadString(" nocase
        $curl = /(curl|wget)[^\n|]{1,200}\|[ \t]{0,4}(ba|z|da)?sh\b/ nocase
    condition:
        filesize < 1MB and any of them
}
