"""The tests mirror the package: every module has its test module, and the other way round."""

from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Modules without a test module of their own, and why.
UNTESTED = {
    "__main__.py": "calls the command line",
    "clock.py": "one line, which tests replace",
    "ports.py": "declarations",
    "core/events.py": "declarations",
    "core/call.py": "declarations",
    "core/reply.py": "declarations",
    "core/announcement.py": "declarations",
    "core/contact.py": "declarations",
    "core/office.py": "declarations; tried through core/test_policy.py",
    "core/skip.py": "declarations",
    "core/objections.py": "tried through core/test_policy.py and core/test_later.py",
    "todo.py": "declarations",
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
    "cli/options.py": "tried through the commands",
    "cli/tables.py": "tried through the commands",
    "cli/objects.py": "tried through the commands",
    "cli/explanation.py": "tried through the commands",
    "cli/simulation.py": "tried through cli/test_simulate.py",
    "core/rehearsal.py": "held to the ledger's answers by test_simulate.py",
    "cli/service.py": "thin: see test_app.py, cli/test_playing.py",
}
#: Test modules that are about no single module, and what they are about.
CROSS_CUTTING = {
    "layout.py": "this file",
    "example.py": "pbx-bridge.example.toml",
    "readme.py": "README.md",
    "cli/commands.py": "what all commands have in common",
    "gateways/twilio_contract.py": "gateways/twilio.py against Twilio's own description",
    "destinations/conformance.py": "what every connector to a CRM does",
    "destinations/hubspot_contract.py": "destinations/hubspot.py against HubSpot's description",
    "destinations/zoho_contract.py": "destinations/zoho.py against Zoho's description",
    "service.py": "the whole service",
    "crash.py": "the whole service, killed",
    "brain.py": "follow-ups and all that ends them, whatever happens",
    "year.py": "a year of follow-ups",
    "both_ways.py": "the whole service, and what comes back",
    "docs.py": "docs/",
    "truth.py": "sender, outbox and intake, whatever a provider does",
    "properties.py": "the tracker with all that feeds it",
    "recordings.py": "recorded calls through the whole service",
    "pumping.py": "the guards together, under attack",
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
        if "e2e" not in path.parts
    }
