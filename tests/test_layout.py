"""The tests mirror the package: every module has its test module, and the other way round."""

from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Folders of tests that are about no single module.
WHOLE = {"browser", "docker", "e2e", "packaging", "reliability", "security"}
#: Modules without a test module of their own, and why.
UNTESTED = {
    "__main__.py": "calls the command line",
    "clock.py": "one line, which tests replace",
    "ports.py": "declarations",
    "parts.py": "tried through test_app.py",
    "service.py": "tried through test_app.py, test_crash.py and test_both_ways.py",
    "core/events.py": "declarations",
    "core/call.py": "declarations",
    "core/reply.py": "declarations",
    "core/announcement.py": "declarations",
    "core/contact.py": "declarations",
    "core/office.py": "declarations; tried through core/test_policy.py",
    "core/skip.py": "declarations",
    "core/objections.py": "tried through core/test_policy.py and core/test_later.py",
    "todo.py": "declarations",
    "task_news.py": "tried through test_endings.py and test_steps.py",
    "core/customer.py": "declarations",
    "destinations/_settings.py": "the connectors' tests have their tables of mistakes",
    "store/problem.py": "declarations",
    "store/schema.py": "compared with the migrations in store/test_migrate.py",
    "config/values.py": "config/test_loading.py has its table of mistakes",
    "config/sections.py": "config/test_loading.py has its table of mistakes",
    "config/problems.py": "config/test_loading.py has its table of mistakes",
    "contacts/dav.py": "tried through contacts/test_carddav.py, on two servers",
    "contacts/words.py": "tried through contacts/test_sync.py and the commands",
    "ledger.py": "tried through test_followup.py, on a real database",
    "consequences.py": "tried through test_sender.py and test_conversation.py",
    "cli/asking.py": "tried through cli/test_init.py",
    "cli/options.py": "tried through the commands",
    "cli/tables.py": "tried through the commands",
    "cli/explanation.py": "tried through the commands",
    "cli/simulation.py": "tried through cli/test_simulate.py",
    "web/api/answers.py": "tried through web/api/test_serve.py and web/api/test_contacts.py",
    "web/api/doing.py": "tried through the operations",
    "web/api/operation.py": "tried through web/api/test_operations.py",
    "web/api/problems.py": "tried through web/api/test_serve.py",
    "objects/calls.py": "tried through the commands",
    "objects/contacts.py": "tried through the commands",
    "objects/figures.py": "tried through the commands",
    "objects/followups.py": "tried through the commands",
    "objects/gateways.py": "tried through the commands",
    "objects/messages.py": "tried through the commands",
    "objects/rules.py": "tried through the commands",
    "objects/simulation.py": "tried through the commands",
    "objects/tasks.py": "tried through the commands",
    "web/access/oidc.py": "tried through web/views/test_provider.py, at a provider",
    "web/frame.py": "tried through web/test_server.py and the views",
    "core/rehearsal.py": "held to the ledger's answers by test_simulate.py",
    "web/guide.py": "tried through web/views/test_setup.py",
    "web/edits.py": "tried through web/views/test_edits.py",
    "web/trying.py": "tried through web/views/test_rules.py",
    "web/said.py": "declarations",
    "demo/people.py": "declarations; they call in demo/test_days.py",
    "cli/service.py": "thin: see test_app.py, cli/test_playing.py",
}
#: Folders whose tests are about the whole service.
WHOLE = {"browser", "docker", "e2e", "packaging", "reliability", "security"}
#: Test modules that are about no single module, and what they are about.
CROSS_CUTTING = {
    "layout.py": "this file",
    "example.py": "pbx-bridge.example.toml",
    "web/access/secrecy.py": "no secret in the log or, in clear, in the database",
    "fail2ban.py": "packaging/fail2ban/",
    "readme.py": "README.md",
    "cli/commands.py": "what all commands have in common",
    "gateways/twilio_contract.py": "gateways/twilio.py against Twilio's own description",
    "destinations/conformance.py": "what every connector to a CRM does",
    "destinations/hubspot_contract.py": "destinations/hubspot.py against HubSpot's description",
    "destinations/zoho_contract.py": "destinations/zoho.py against Zoho's description",
    "crash.py": "the whole service, killed",
    "brain.py": "follow-ups and all that ends them, whatever happens",
    "year.py": "a year of follow-ups",
    "both_ways.py": "the whole service, and what comes back",
    "docs.py": "docs/",
    "cookbook.py": "docs/cookbook.md, played",
    "shown_commands.py": "the command lines in README.md and docs/",
    "release.py": "the version, the lock",
    "truth.py": "sender, outbox and intake, whatever a provider does",
    "properties.py": "the tracker with all that feeds it",
    "recordings.py": "recorded calls through the whole service",
    "pumping.py": "the guards together, under attack",
    "web/locale.py": "the translations of the page",
    "web/german.py": "every view, of which nothing is left in English",
    "web/api/schemathesis.py": "web/api against its own description",
    "web/api/docs.py": "docs/api.md and docs/metrics.md",
    "store/schemas.py": "databases of every earlier version",
}


def test_every_module_has_its_test_module() -> None:
    assert sorted(_modules() - _tested() - set(UNTESTED)) == []


def test_every_test_module_has_its_module() -> None:
    assert sorted(_tested() - _modules() - set(CROSS_CUTTING)) == []


def test_no_exception_is_older_than_the_code() -> None:
    assert sorted(set(UNTESTED) - _modules()) == []
    assert sorted(set(UNTESTED) & _tested()) == []
    assert sorted(set(CROSS_CUTTING) & _modules()) == []


def _modules() -> set[str]:
    """Name the package's modules; a package stands for its __init__ where that has code."""
    package = ROOT / "pbx_bridge"
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if path.name != "__init__.py" and "migrations" not in path.parts
    }


def _tested() -> set[str]:
    """Name the modules that the test modules are named after."""
    tests = ROOT / "tests"
    return {
        path.relative_to(tests).with_name(path.name.removeprefix("test_")).as_posix()
        for path in tests.rglob("test_*.py")
        if path.relative_to(tests).parts[0] not in WHOLE
    }
