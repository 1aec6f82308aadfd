"""Check the built documentation as a reader meets it: ``python .ci/check_site.py doc/_build/html``

With the standard library alone: every internal link leads to a page and to a place on it, estimators have the place
that their drawings link to, every picture is there, every example has a thumbnail of its own. With Chromium and
chromedriver, where they are installed, every page is also opened at the width of a desk and of a phone: nothing on the
console, nothing loaded from another server, every formula set, every picture shown, nothing wider than the window.
Prints what is wrong and exits with 1 if anything is.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

WIDTHS = {"desk": (1280, 900), "phone": (390, 844)}  # CSS pixels
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # so that what is loaded from elsewhere fails
]
ESTIMATORS = {"skvr.LogisticRegression", "skvr.Ridge", "skvr.RidgeClassifier"}  # places that their drawings link to
HERE = "this.site"  # stands for the folder where links are resolved
TIMEOUT = 120  # seconds for an answer of the browser

# What is wrong with the page that is open, as a list of sentences.
INSPECT = r"""
const done = arguments[arguments.length - 1], wrong = [];
(async () => {
  const formulas = [...document.querySelectorAll("span.math, div.math")];
  const started = () => window.MathJax && MathJax.startup && MathJax.startup.promise;
  for (let tries = 0; formulas.length && !started() && tries < 200; ++tries)  // its script may come after the page
    await new Promise(resolve => setTimeout(resolve, 100));
  if (formulas.length && !started()) wrong.push("MathJax did not start");
  else if (formulas.length) await MathJax.startup.promise;
  const show = element => element.textContent.trim().slice(0, 60);
  for (const formula of formulas) {
    if (!formula.querySelector("mjx-container")) wrong.push("a formula is not set: " + show(formula));
    if (formula.querySelector("mjx-merror")) wrong.push("a formula has an error: " + show(formula));
  }
  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => wrong.push("a picture is not shown: " + image.src));
  }
  // The theme lets a column scroll sideways in which something is too wide; code, tables and formulas may scroll alone.
  const article = document.querySelector("article") || document.body;
  for (let frame = article; frame; frame = frame.parentElement) {
    if (frame.scrollWidth <= frame.clientWidth + 1) continue;
    const edge = frame.getBoundingClientRect().left + frame.clientWidth + 1;
    const scrolls = e => e !== frame && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
    const wide = [...article.querySelectorAll("*")].filter(
      e => e.getBoundingClientRect().right > edge && !scrolls(e.parentElement));
    wrong.push("wider than its frame, " + frame.scrollWidth + " > " + frame.clientWidth + " pixels: "
      + wide.slice(0, 3).map(e => e.tagName + " " + e.className + " " + show(e)).join("; "));
    break;
  }
  done(wrong);
})().catch(error => done([String(error)]));
"""


class Page(HTMLParser):
    """What a page refers to, and the places on it."""

    def __init__(self, path):
        super().__init__()
        self.places, self.links, self.thumbnails = {"", "top"}, [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places.update(given[key] for key in ("id", "name") if given.get(key))
        self.links += [given[key] for key in ("href", "src") if given.get(key)]
        self.links += [source.split()[0] for source in (given.get("srcset") or "").split(",") if source.strip()]
        if tag == "img" and (given.get("src") or "").endswith("_thumb.png"):
            self.thumbnails.append(given["src"])


def check_links(root):
    """Return what is wrong with links and thumbnails, and the number of links followed."""
    pages = {path: Page(path) for path in sorted(root.rglob("*.html")) if "_static" not in path.parts}
    wrong, followed = [], 0
    for path, page in pages.items():
        base = path.relative_to(root).as_posix()
        for link in page.links:
            target = urlsplit(urljoin(f"http://{HERE}/{base}", link))
            if target.netloc != HERE:
                continue
            followed += 1
            file = root / unquote(target.path).lstrip("/")
            if file.is_dir():
                file /= "index.html"
            if not file.is_file():
                wrong.append(f"{base}: {link} leads nowhere")
            elif file in pages and unquote(target.fragment) not in pages[file].places:
                wrong.append(f"{base}: {link} leads to no place on {file.name}")
    if root / "api.html" in pages:
        missing = ESTIMATORS - pages[root / "api.html"].places
        wrong += [
            f"api.html: no place {place}, where the drawing of an estimator links to" for place in sorted(missing)
        ]
    for path, page in pages.items():
        if path.name == "index.html" and path.parent.name == "auto_examples":
            n_examples = len(list(path.parent.glob("plot_*.html")))
            thumbnails = {(path.parent / source).read_bytes() for source in page.thumbnails}
            if len(thumbnails) != n_examples:  # those without a figure share one
                wrong.append(f"{len(thumbnails)} distinct thumbnails for {n_examples} examples")
    return wrong, followed, [path.relative_to(root).as_posix() for path in pages]


@contextmanager
def served(root):
    """Serve the folder to this machine; yield the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


class Browser:
    """Chromium of a given width, by the WebDriver protocol that chromedriver speaks."""

    def __init__(self, chromium, chromedriver, width, height, profile):
        command = [chromedriver, "--port=0"]
        self.driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.driver.stdout:
            if "successfully on port" in line:
                self.address = "http://127.0.0.1:" + line.split("on port")[1].strip().rstrip(".")
                break
        options = {
            "binary": chromium,
            "args": [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"],
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0}},
        }
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        capabilities["timeouts"] = {"script": 1000 * TIMEOUT, "pageLoad": 1000 * TIMEOUT}
        session = self.ask("/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.address += f"/session/{session['sessionId']}"

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=TIMEOUT) as answer:
            return json.load(answer)["value"]

    def inspect(self, address):
        """Open a page; return what is wrong with it."""
        self.ask("/url", {"url": address})
        wrong = self.ask("/execute/async", {"script": INSPECT, "args": []})
        log = self.ask("/se/log", {"type": "browser"})
        return wrong + [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def close(self):
        self.ask("", method="DELETE")
        self.driver.terminate()
        self.driver.wait()


def check_pages(root, pages, chromium, chromedriver):
    """Return what is wrong with the pages in a browser."""
    wrong = []
    with served(root) as address:
        for name, size in WIDTHS.items():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
                browser = Browser(chromium, chromedriver, *size, profile)
                try:
                    for page in pages:  # what is wrong is wrong twice: a busy machine may cut a page short
                        found = browser.inspect(address + page) and browser.inspect(address + page)
                        wrong += [f"{page}, {name}: {sentence}" for sentence in found]
                finally:
                    browser.close()
    return wrong


def main():
    root = Path(sys.argv[1]).resolve()
    wrong, followed, pages = check_links(root)
    print(f"{len(pages)} pages, {followed} internal links")
    chromium, chromedriver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium and chromedriver:
        wrong += check_pages(root, pages, chromium, chromedriver)
        print(f"opened in a browser at {' and '.join(f'{width} pixels' for width, _ in WIDTHS.values())}")
    else:
        print("No Chromium with chromedriver was found: only links and thumbnails were checked.")
    for sentence in wrong:
        print(sentence)
    if not pages:
        sys.exit(f"no page in {root}: run sphinx-build first")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
