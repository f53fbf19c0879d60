"""Which agents are bots: crawlers, spiders, monitors, preview fetchers and driven browsers; not people, not tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.ingest.bots import is_bot

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
NEXUS = f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36"

CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"{NEXUS} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Googlebot-Image/1.0",
    "Googlebot-Video/1.0",
    "Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)",
    "GoogleOther",
    "Mozilla/5.0 (compatible; GoogleOther)",
    "APIs-Google (+https://developers.google.com/webmasters/APIs-Google.html)",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
    "AdsBot-Google-Mobile",
    "Mediapartners-Google",
    "Google-Read-Aloud",
    "Google-Site-Verification/1.0",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "msnbot/2.0b (+http://search.msn.com/msnbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "Mozilla/5.0 (compatible; SeznamBot/4.0; +http://napoveda.seznam.cz/seznambot-intro/)",
    "Mozilla/5.0 (compatible; Yeti/1.1; +http://naver.me/spd)",
    "Mozilla/5.0 (compatible; Daum/4.1; +http://cs.daum.net/faq/15/4118.html?faqId=28966) Daumoa/4.1",
    "Mozilla/5.0 (compatible; Qwantify/2.4w; +https://www.qwant.com/)/2.4w",
    "Mozilla/5.0 (compatible; Applebot/0.1; +http://www.apple.com/go/applebot)",
    "Mozilla/5.0 (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; AhrefsSiteAudit/6.1; +http://ahrefs.com/site-audit)",
    "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
    "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)",
    "Mozilla/5.0 (compatible; Barkrowler/0.9; +https://babbar.tech/crawler)",
    "Screaming Frog SEO Spider/19.4",
    "ia_archiver (+http://www.alexa.com/site/help/webmasters; crawler@alexa.com)",
    "Mozilla/5.0 (compatible; archive.org_bot +http://www.archive.org/details/archive.org_bot)",
    "CCBot/2.0 (https://commoncrawl.org/faq/)",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    f"Mozilla/5.0 {WEBKIT}; compatible; ChatGPT-User/1.0; +https://openai.com/bot",
    "Mozilla/5.0 (compatible; ChatGPT-User/2.0)",
    "Mozilla/5.0 (compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot)",
    "Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 (compatible; Claude-User/1.0)",
    "Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
    "Mozilla/5.0 (compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)",
    "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 Mobile Safari/537.36 (compatible; Bytespider)",
    "Mozilla/5.0 (compatible; Amazonbot/0.1; +https://developer.amazon.com/support/amazonbot)",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "Scrapy/2.11.0 (+https://scrapy.org)",
    "nutch-1.4/Nutch-1.4",
    "Mozilla/5.0 (compatible; heritrix/3.4.0 +http://example.org)",
    "Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)",
    "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)",
    "Mozilla/5.0 zgrab/0.x",
    "Xenu Link Sleuth/1.3.8",
    "W3C_Validator/1.3",
    "SAMSUNG-SGH-E250/1.0 Profile/MIDP-2.0 (compatible; Googlebot-Mobile/2.1; +http://www.google.com/bot.html)",
    "Some Company BOT",
    "python-requests/2.32.3 (examplebot; +https://example.com/about)",
)

PREVIEWS_AND_FEEDS = (
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Facebot",
    "meta-externalfetcher/1.1",
    "WhatsApp/2.23.20.0",
    "WhatsApp/2.2587.9 W",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "TelegramBot (like TwitterBot)",
    "Twitterbot/1.0",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
    "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
    "http.rb/5.1.1 (Mastodon/4.2.1; +https://mastodon.social/)",
    "Embedly +support@embed.ly",
    "Iframely/1.3.1 (+https://iframely.com/docs/about)",
    f"Mozilla/5.0 (Windows NT 6.1; WOW64) {WEBKIT} BingPreview/1.0b",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google Web Preview) Chrome/27.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (Windows NT 6.1; rv:6.0) Gecko/20110814 Firefox/6.0 Google favicon",
    "Mozilla/5.0 (Macintosh) Firefox/3.6 (FlipboardProxy/1.2; +http://flipboard.com/browserproxy)",
    "Feedfetcher-Google; (+http://www.google.com/feedfetcher.html; 22 subscribers; feed-id=8321906634162087507)",
    "FeedBurner/1.0 (http://www.FeedBurner.com)",
    "Feedly/1.0 (+http://www.feedly.com/fetcher.html; like FeedFetcher-Google)",
    "Feedbin - 1 subscribers",
    "Tiny Tiny RSS/1.11 (http://tt-rss.org/)",
)

MONITORS = (
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Mozilla/5.0 (compatible; PingdomTMS/0.8.5) Chrome/61.0 Safari/537.36",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "Mozilla/5.0 (Windows NT 10.0) Chrome/98.0 Safari/537.36 (StatusCake)",
    "Site24x7",
    "check_http/v2.3.3 (monitoring-plugins 2.3.3)",
    "Zabbix",
    "Blackbox Exporter/0.25.0",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0 Safari/537.36 DatadogSynthetics",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0 Safari/537.36 NewRelicSynthetics/1.0",
    "Elastic-Heartbeat/8.11.0 (linux; amd64)",
    "GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)",
    "ELB-HealthChecker/2.0",
    "Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1vsZADi)",
    "kube-probe/1.28",
    "GoogleHC/1.0",
    "Checkly/1.0 (https://www.checklyhq.com)",
    "HetrixTools Uptime Monitoring Bot. https://hetrix.tools/uptime-monitoring-bot.html",
    "Uptime-Kuma/1.23.11",
    "updown.io daemon 2.11",
    "W3C-checklink/4.5 [4.154] libwww-perl/5.823",
    "PINGOMETER_BOT_(HTTPS://PINGOMETER.COM)",
    "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1;  http://www.changedetection.com/bot.html )",
)

DRIVEN_BROWSERS = (
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/120.0.6099.109 Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/120.0.0.0 Safari/537.36 HeadlessEdg/120.0",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) PhantomJS/1.9.2 Safari/534.34",
    "Mozilla/5.0 (X11; Linux x86_64; rv:38.0) Gecko/20100101 SlimerJS/0.9.6",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/109.0.0.0 Safari/537.36 Chrome-Lighthouse",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/27.0 Safari/537.36 Google Page Speed Insights",
    f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/120.0 Safari/537.36 PTST/231215.181534",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; PTST 2.386)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) wkhtmltopdf Safari/534.34",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/117.0 Safari/537.36 GTmetrix",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/61.0 Safari/537.36 Prerender (+https://github.com/prerender)",
)

PEOPLE = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/120.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/120.0.0.0 Safari/537.36 OPR/106.0.0.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/118.0.0.0 YaBrowser/23.11.0 Safari/537.36",
    f"Mozilla/5.0 (Windows NT 5.1) {WEBKIT} Chrome/28.0.1500.95 Safari/537.36 SE 2.X MetaSr 1.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; Tablet PC 2.0)",
    "Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6) Gecko/20090605 MozillaDeveloperPreview/3.7a1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0.0.0 Safari/537.36",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/34.1244; U; en) Presto/2.8.119 Version/11.10",
    f"{IPHONE} Version/17.2 Mobile/15E148 Safari/604.1",
    f"{IPHONE} CriOS/120.0.6099.101 Mobile/15E148 Safari/604.1",
    f"{IPHONE} FxiOS/121.0 Mobile/15E148 Safari/605.1.15",
    f"{IPHONE} GSA/297.0.593 Mobile/15E148 Safari/604.1",
    f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/442.0.0.28.108;FBBV/543210987;FBDV/iPhone14,5;FBMD/iPhone;FBLC/en_US]",
    f"{IPHONE} Mobile/15E148 Instagram 312.0.0.17.100 (iPhone14,5; iOS 17_2; en_US; scale=3.00)",
    f"{IPHONE} Mobile/15E148 Snapchat/12.66.0.34 (like Safari/8617.1.17.10.9, panda)",
    f"{IPHONE} Mobile/15E148 [Pinterest/iOS]",
    f"{IPHONE} Mobile/15E148 LinkedInApp/9.29.3245",
    f"{IPHONE} Mobile/15E148 Twitter for iPhone/10.21",
    f"{NEXUS} [FB_IAB/FB4A;FBAV/443.0.0.23.229;]",
    f"{NEXUS} WhatsApp/2.24.1.6",
    f"{NEXUS} Line/13.21.0/IAB",
    f"{NEXUS} trill_320906 BytedanceWebview/d8a21c6",
    f"Mozilla/5.0 (Linux; Android 13; CUBOT X30) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 9; Cubot_Power) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; cubot note 20) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 13; SM-S918B) {WEBKIT} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {WEBKIT} Silk/120.2.4 like Chrome/120.0.6099.193 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 12; Pixel 6) {WEBKIT} Version/4.0 Chrome/99.0 Mobile Safari Puffin/9.7.2.51367AP",
    f"Mozilla/5.0 (Linux; Android 12) {WEBKIT} Chrome/97.0 Mobile Safari/537.36 baiduboxapp/13.10.0.10",
    f"Mozilla/5.0 (Linux; Android 11; V2066) {WEBKIT} Chrome/87.0 Mobile Safari SogouMSE,SogouMobileBrowser/5.30",
    f"Mozilla/5.0 (Linux; Android 13) {WEBKIT} Chrome/120.0 Mobile Safari/537.36 DaumApps/1.0 KAKAOTALK 10.4.3",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} ChatGPT/1.2024.346 Chrome/130.0 Electron/33.2.0 Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Slack/4.36.134 Chrome/120.0 Electron/28.1.0 Safari/537.36",
    "AbbottCareApp/2.1 (iPhone; iOS 17.2; Scale/3.00)",
    "ABBOTT/2.1 (Android 13)",
)

TOOLS = (
    "curl/8.5.0",
    "Wget/1.21.4 (linux-gnu)",
    "python-requests/2.31.0",
    "python-httpx/0.28.1",
    "Python/3.11 aiohttp/3.9.1",
    "Python-urllib/3.11",
    "axios/1.6.5",
    "node",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "undici",
    "okhttp/4.12.0",
    "Go-http-client/2.0",
    "Java/17.0.9",
    "Java-http-client/21",
    "Apache-HttpClient/4.5.14 (Java/17.0.9)",
    "PHP/8.2.14",
    "GuzzleHttp/7",
    "PostmanRuntime/7.36.0",
    "insomnia/8.5.1",
    "libwww-perl/6.72",
    "Ruby",
    "Faraday v2.7.12",
    "reqwest/0.11.23",
    "HTTPie/3.2.2",
    "fetch libfetch/2.0",
    "WordPress/6.4.2; https://example.com",
    "UniversalFeedParser/6.0 +http://feedparser.org/",
    "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A)",
    "clickmeter-client/0.1.0",
    "clickmeter-client/0.1.0 (python 3.11)",
)


@pytest.mark.parametrize("agent", CRAWLERS + PREVIEWS_AND_FEEDS + MONITORS + DRIVEN_BROWSERS)
def test_what_names_itself_a_machine_is_a_bot(agent: str) -> None:
    assert is_bot(agent)


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_are_not_bots(agent: str) -> None:
    assert not is_bot(agent)


@pytest.mark.parametrize("agent", TOOLS)
def test_http_clients_and_tools_are_not_bots(agent: str) -> None:
    assert not is_bot(agent)


@pytest.mark.parametrize("agent", [None, "", "-", " ", "Mozilla/5.0"])
def test_an_agent_that_says_nothing_is_not_a_bot(agent: str | None) -> None:
    assert not is_bot(agent)


@pytest.mark.parametrize(
    "agent", ["GOOGLEBOT/2.1", "googlebot/2.1", "BAIDUSPIDER", "headlesschrome/120", "FACEBOOKEXTERNALHIT"]
)
def test_the_case_of_a_name_does_not_matter(agent: str) -> None:
    assert is_bot(agent)


@given(st.text(st.characters(codec=None)))
def test_it_never_raises(agent: str) -> None:
    assert is_bot(agent) in (True, False)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_crawler_is_found_wherever_it_says_so(before: str, after: str) -> None:
    assert is_bot(f"{before} ExampleCrawler/1.0 {after}")
