"""Hosts that mean a place where callbacks may not go, in every spelling we know of."""


def _words(text: str) -> list[str]:
    return text.split()


# Loopback: short, decimal, octal and hexadecimal, as inet_aton reads them.
NUMBERS = _words("""
    127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.254 127.127.127.127 127.1 127.0.1 127.65535 127.0x1 127.0.0x1
    2130706433 2130706434 3232235777 017700000001 0017700000001 0x7f000001 0X7F000001 0x7F.1 0x7f.0.0.1
    0x7f.0x0.0x0.0x1 0177.0.0.1 0177.1 00177.0.0.01 0177.0x0.0.1 127.0.0.01 127.00.00.01 127.000.000.001
    0x7f.0.1 0177.0.1 0x7f.00000001 127.0x000001 0x000000007f000001 127.0.0.0x1 0177.0000001
""")

# Dots and digits that are not the plain ones, and numbers out of range.
ODD_NUMBERS = _words("""
    127.0.0.1. 127.0.0.1.. 127。0。0。1 127．0．0．1 127｡0｡0｡1 ①②⑦.⓪.⓪.① １２７.０.０.１ ١٢٧.٠.٠.١ 𝟏𝟐𝟕.𝟎.𝟎.𝟏
    127.0.0.1%20 %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%00 127.0.0.1%2f 127.0.0.1%2523 0 0.0.0.0 00.0.0.0
    0x0 0x0.0 0.0 0.0.0 00000000000 0.1.2.3 256.0.0.1. 127.0.0.256 127.0.0.0.1 4294967296 6425673729
    0x17f000001 1.0x 127.0.0.1:80
""")

# ::1, and IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP.
INSIDE_IPV6 = _words("""
    [::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [0::1] [::0:1] [::0.0.0.1]
    [::] [0:0:0:0:0:0:0:0] [::0.0.0.0] [::1%25lo] [::1%lo] [::1%251] [::%25lo] [::ffff:127.0.0.1]
    [::FFFF:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] [::ffff:127.1.2.3] [::ffff:0.0.0.0]
    [::ffff:0:127.0.0.1] [::ffff:0:7f00:1] [::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1]
    [0064:ff9b:0:0:0:0:7f00:0001] [64:ff9b:1::127.0.0.1] [64:ff9b:1:7f00:0:100::] [64:ff9b:1:7f:0:1::]
    [64:ff9b:1:0:7f:0:100:0] [2002:7f00:1::] [2002:7f00:0001::1] [2001:0:7f00:1::1]
    [2001:0000:4136:e378:8000:63bf:80ff:fffe] [fe80::5efe:127.0.0.1] [v1.127.0.0.1] [127.0.0.1] [::1 ::1
    [::1]] [[::1]] [::01.0.0.1]
""")

# Names of this machine.
LOCAL_NAMES = _words("""
    localhost LOCALHOST LocalHost localhost. localhost.. localhost.localdomain foo.localhost a.b.localhost
    ip6-localhost ip6-loopback x.localdomain ⓛocalhost ＬＯＣＡＬＨＯＳＴ loc\xadalhost local\u200bhost
    ſocket.localhost loca%6chost %6c%6f%63alhost localhost%00.example.com xn-- xn--a-
""")

# Link-local, the metadata of clouds, multicast, reserved, and private without an allow-list.
ELSEWHERE = _words("""
    169.254.169.254 169.254.0.1 169.254.170.2 2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518
    0xa9.0xfe.0xa9.0xfe [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::1]
    [fe80::1] [fe80::1%25eth0] [febf::1] [fec0::1] [fd00:ec2::254] [fd00:ec2::23] [fd20:ce::254]
    100.100.100.200 [::ffff:100.100.100.200] 168.63.129.16 192.0.0.192 224.0.0.1 239.255.255.250
    255.255.255.255 4294967295 240.0.0.1 [ff02::1] [ff05::2] 192.88.99.1 [100::1] [1::1] [4000::1] [5f00::1]
    [::2] [::8.8.8.8] [2001::1] [2001:10::1] 10.0.0.1 10.255.255.255 0xa.0.0.1 012.0.0.1 167772161
    172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 [fc00::1]
    [fd12:3456::1] [2001:db8::1] [::ffff:10.0.0.1] [64:ff9b::10.0.0.1] [2002:a00:1::] [64:ff9b:1::10.0.0.1]
    [64:ff9b:1::8.8.8.8]
""")

HOSTS = [*NUMBERS, *ODD_NUMBERS, *INSIDE_IPV6, *LOCAL_NAMES, *ELSEWHERE]
# Whole authorities: where one reader sees a good host, another may see a bad one. {} is the port.
AUTHORITIES = [
    "good.example@127.0.0.1:{}",
    "127.0.0.1:{}@good.example",
    "good.example:x@127.0.0.1:{}",
    "@127.0.0.1:{}",
    "127.0.0.1:{}#@good.example",
    "good.example#@127.0.0.1:{}",
    "127.0.0.1:{}\\@good.example",
    "127.0.0.1\\.good.example",
    "good.example%40127.0.0.1:{}",
    "127.0.0.1:{}%40good.example",
    "a@b@127.0.0.1:{}",
    "127.0.0.1:{}\t",
    "\t127.0.0.1:{}",
    "127.0.0.1 :{}",
    " 127.0.0.1:{}",
    "127.0.0.1\n:{}",
    "127.0.0.1\r\nX:y:{}",
    "127.0.0.1\x00:{}",
    "1\u2000@127.0.0.1:{}",
    ":{}",
    "",
    "127.0.0.1:0{}x",
    "127.0.0.1:-{}",
    "good.example:0",
    "good.example:65536",
    "good.example:",
    "good.example:٨٠",
    "good..example:{}",
    ".good.example:{}",
    "-good.example:{}",
    "good-.example:{}",
    "good,example:{}",
    "good example:{}",
    "[good.example]:{}",
    "good.example:80:{}",
    "[::1]x:{}",
    "x[::1]:{}",
    f"{'a' * 64}.example",
    f"{'a.' * 127}example",
]
URLS = [
    "",
    "/",
    "x",
    "good.example",
    "//good.example/x",
    "/x",
    "https:",
    "https:/",
    "https://",
    "https:///x",
    "https:good.example",
    "https:/good.example",
    "https:\\\\good.example",
    " https://good.example",
    "https://good.example ",
    "\x00https://good.example",
    "ftp://good.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
    "unix:///run/docker.sock",
    "javascript:alert(1)",
    "ws://good.example/",
    "wss://good.example/",
    "httpss://good.example/",
    "http+unix://x/y",
    "data:,x",
    "ldap://good.example/",
    "https://good.example/#x",
    "https://good.example/#",
    "https://good.example/a b",
    "https://good.example/a\r\nHost: x",
    "https://good.example/ä",
    "https://good.example/%",
    "https://good.example/%zz",
    "https://good.example/\\",
    "https://good.example/<x>",
    "https://gööd.example/",
    "https://good.example/\u202e",
    "https://good.example/\udcff",
    f"https://good.example/{'x' * 2030}",
]
# What must not be caught with them.
GOOD = _words("""
    https://good.example https://good.example/ HTTPS://GOOD.EXAMPLE/x?y=z&a=b
    https://good.example:8443/a/b;c=d/~e https://good.example?x https://a_b.c-d.example/%20%ff https://smo
    https://smo:65535/ https://xn--mnchen-3ya.example/ https://8.8.8.8/ https://1.1.1.1:1/
    https://[2606:4700:4700::1111]/ https://[2A00:1450::1]:444/x https://[64:ff9b::8.8.8.8]/
    https://[::ffff:8.8.8.8]/ https://[2002:808:808::1]/ https://9.127.0.1/ https://127.0.0.1.example/
    https://0x7f.example/ https://localhost.example/ https://mylocalhost/ https://11.0.0.1
    https://172.32.0.1 https://100.128.0.1
""")
