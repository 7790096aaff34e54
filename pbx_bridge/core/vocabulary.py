"""What customers write when they want no more texts, want them again, or want to know who we are.

Words stand with who asks for them; the others are what the same wish looks like in that language,
or how people misspell it: "a reasonable person would read it so" (47 CFR 64.1200(a)(10)). Where
the sources are: MESSAGING in the project's study, and docs/templates.md.

Everything here is compared after `keywords.simplified`: no case, accents, apostrophes, punctuation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

FCC = "FCC: 47 CFR 64.1200(a)(10), enough by itself"
AWS = "AWS required opt-out keywords"
TWILIO = "Twilio default opt-out keywords"
TELNYX = "Telnyx default opt-out keywords"
BRAZE = "Braze default keywords"
TWILIO_ES = "Twilio: Spanish short codes answer ALTO and AYUDA"
AWS_FR = "AWS: Canada asks for ARRET, AIDE and INFO"
AUSTRIA = "Austria 2006: STOPP or STOP ends a service (heise.de 79673)"
FCC_ES = "compliancepoint.com on the FCC rule: No más counts"
PLAIN = "the plain word for it"
SLIP = "misspelt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """One language's words.

    A *word* (it may be several) counts only as the whole message; a *refusal* is a regular
    expression found in a longer one.
    """

    opt_out: Mapping[str, str]
    #: Opt-out words that also end or cancel other things: an appointment, an order.
    ambiguous: frozenset[str] = frozenset()
    opt_in: Mapping[str, str]
    agreement: frozenset[str]  #: opts in only where we have asked
    help: Mapping[str, str]
    courtesy: frozenset[str]  #: around a word, these change nothing
    hurry: frozenset[str] = frozenset()  #: neither do these after an opt-out word
    refusals: tuple[str, ...]
    #: Before a refusal, these turn it into something else: "don't stop texting".
    reversing: str = r"(?!)"
    urgent: tuple[str, ...]
    calming: str = field(repr=False)  #: before an urgent word, these take it back: "not an"


#: "I'll stop texting you now", "why did you stop texting me": about something else.
_NOT_THEIRS = "".join(
    rf"(?<!\b{who} )"
    for who in (
        *("i", "we", "he", "she", "they", "ill", "i will", "id", "did you", "if you", "why you"),
        *("when you", "him to", "her to", "them to"),
    )
)
#: "I don't text", "if you don't text me back".
_NOT_OURS = "".join(rf"(?<!\b{who} )" for who in ("i", "we", "you", "he", "she", "they"))

_STOP = {"stop": f"{FCC}; {TWILIO}; {AWS}; {TELNYX}", "stopp": f"{AUSTRIA}; {SLIP} elsewhere"}
_START = {"start": f"{AWS}; {TELNYX}", "unstop": f"{AWS}; {TELNYX}"}
_INFO = {"info": BRAZE}

VOCABULARIES: Mapping[str, Vocabulary] = {
    "en": Vocabulary(
        opt_out={
            **_STOP,
            "quit": f"{FCC}; {TWILIO}; {AWS}; {TELNYX}",
            "end": f"{FCC}; {TWILIO}; {AWS}; {TELNYX}",
            "revoke": f"{FCC}; {TWILIO}",
            "opt out": f"{FCC}; {TWILIO}; {AWS}",
            "cancel": f"{FCC}; {TWILIO}; {AWS}; {TELNYX}",
            "unsubscribe": f"{FCC}; {TWILIO}; {AWS}; {TELNYX}",
            "stop all": f"{TWILIO}; {TELNYX}",
            "remove": AWS,
            "td": AWS,
            "arret": AWS,
            "unsub": PLAIN,
            "unsubscribe all": PLAIN,
            "unsubscribe me": PLAIN,
            "stop it": PLAIN,
            "stop this": PLAIN,
            "stop that": PLAIN,
            "i said stop": PLAIN,
            "remove me": PLAIN,
            "delete me": PLAIN,
            "delete my number": PLAIN,
            "take me off": PLAIN,
            "go away": PLAIN,
            "no more": PLAIN,
            "discontinue": PLAIN,
            "end all": PLAIN,
            "cancel all": PLAIN,
            "stpo": SLIP,
            "sotp": SLIP,
            "st0p": SLIP,
            "stop2end": SLIP,
            "unsuscribe": SLIP,
            "unsubcribe": SLIP,
            "unsubscibe": SLIP,
            "unsubscribed": SLIP,
            "unsuscribed": SLIP,
        },
        ambiguous=frozenset({"quit", "end", "cancel", "remove", "no more"}),
        opt_in={
            **_START,
            "subscribe": TELNYX,
            "opt in": PLAIN,
            "resubscribe": PLAIN,
            "unstop all": PLAIN,
        },
        agreement=frozenset({"yes", "y", "yes please", "yeah", "yep"}),
        help={"help": f"{AWS}; {BRAZE}", **_INFO},
        courtesy=frozenset(
            "please pls plz kindly thanks thank you thx ty hi hello hey ok okay sir madam maam"
            " just sorry".split()
        ),
        hurry=frozenset("now asap immediately already today".split()),
        refusals=(
            (
                rf"{_NOT_THEIRS}(?:stop|quit|cease) (?:texting|txting|messaging|smsing|contacting"
                r"|spamming|harassing|bothering|bugging|annoying|pestering)"
            ),
            (
                rf"{_NOT_THEIRS}(?:stop|quit) sending (?:me |us )?"
                r"(?:this|these|those|stuff|things|crap)(?: (?:stuff|things|crap))?(?: to me)?$"
            ),
            rf"{_NOT_THEIRS}(?:stop|quit) calling (?:me|us|this)",
            (
                rf"{_NOT_THEIRS}(?:stop|quit) (?:sending|with) (?:me |us )?(?:all |any |more "
                r"|these |those |the |your |this )*(?:text|txt|message|msg|sms|spam)"
            ),
            (
                rf"{_NOT_THEIRS}stop (?:all |any |these |those |the |your )*"
                r"(?:texts?|txts?|messages?|msgs?|sms|text messages?)\b"
                r"(?! (?:me|us|him|her|them)\b)"
            ),
            (
                rf"{_NOT_OURS}(?:do not|dont|never) (?:ever |please )?(?:text|txt|message|msg|sms"
                r"|contact)(?: (?:me|us|again|anymore|(?:my|this) (?:\w+ )?(?:phone|number|cell"
                r"|mobile|line))\b|$)"
            ),
            r"^(?:please )?(?:do not|dont) send (?:me |us )?anything(?: else| more)?$",
            (
                r"how (?:do|can|to) (?:i )?(?:stop|end|cancel|get off) (?:getting |receiving )?"
                r"(?:these |the |your |all |more )*(?:texts|text messages|messages|sms)\b"
            ),
            r"want off (?:of )?(?:your|ur|the|this|that) (?:\w+ )?list\b",
            (
                rf"{_NOT_OURS}(?:do not|dont) (?:ever )?send (?:me |us )?(?:any |more |anymore "
                r"|these |your )*(?:text|txt|message|msg|sms)"
            ),
            r"no more (?:texts?|txts?|messages|msgs|sms|spam)\b",
            r"^(?:please )?no (?:texts|txts|text messages|messages|sms)(?: please)?$",
            (
                r"(?:do not|dont|no longer) (?:want|wish) (?:to (?:get|receive) )?"
                r"(?:any |more |anymore |these |your )*"
                r"(?:texts|txts|text messages|messages|msgs|sms)\b"
            ),
            r"(?:remove|delete) (?:me|(?:my|this) (?:\w+ )?number)(?: please)?$",
            (
                r"(?:remove|delete|take) (?:me|(?:my|this) (?:\w+ ){1,4})?(?: )?(?:off|from) "
                r"(?:of )?(?:(?:your|ur|the|this|that|all|any|every) (?:\w+ )?)?"
                r"(?:lists?|texts|messages|sms|database|system|contacts)\b"
            ),
            r"(?<!to )unsubscribe\b",
            r"opt me out\b",
            r"(?:want|like|need|wish|choose|going) to (?:opt out|unsubscribe)$",
            r"opt(?:ing)? out of (?:the |these |your |all )*(?:texts|text messages|messages|sms)\b",
            r"\bi (?:am )?opt(?:ing)? out$",
            r"(?:revoke|withdraw) (?:my )?consent\b",
            (
                r"(?:do not|dont) consent to (?:the |these |your |any |get |receive )*"
                r"(?:texts|text messages|messages|sms)\b"
            ),
            (
                r"(?:cancel|end) (?:all |the |these |my |your )*"
                r"(?:texts|messages|text messages|text alerts)\b"
            ),
            rf"{_NOT_THEIRS}stop (?:the|these|your|all) \w+ (?:texts|messages)\b",
            r"removed from (?:your|ur|the|this|that) (?:\w+ )?list\b",
            (
                r"(?:do not|dont|never) (?:call|phone|email) (?:me )?(?:or|and|nor) "
                r"(?:text|txt|message|sms)\b"
            ),
            r"(?:stop|cease|discontinue) all (?:contact|communications?|texts|messages)\b",
            r"cease and desist\b",
            r"enough (?:with|of) (?:the|these|your|all the) (?:texts|messages|spam)\b",
            r"get me off (?:of )?(?:your|ur|the|this|that) (?:\w+ )?list\b",
            r"leave (?:me|us) alone\b",
            r"lose (?:my|this) number\b",
        ),
        reversing=(
            r"(?:dont|do not|doesnt|never|not|didnt|did not|wont)"
            r"(?: (?:ever|you|to|want to|want you to|ask you to|tell you to|say|just|really|please"
            r"|have to))?"
        ),
        urgent=("urgent", "urgently", "emergency", "emergencies"),
        calming=(
            r"(?:not|no|non|nothing|never|isnt|is not|wasnt|aint|hardly|without|dont have)"
            r"(?: (?:a|an|any|at all|really|that|very|so|too|super|all that|particularly|exactly"
            r"|terribly|too|the|need|needs|for|plumbing|real))*"
        ),
    ),
    "es": Vocabulary(
        opt_out={
            **_STOP,
            "alto": TWILIO_ES,
            "no mas": FCC_ES,
            "baja": PLAIN,
            "dar de baja": PLAIN,
            "darme de baja": PLAIN,
            "deme de baja": PLAIN,
            "parar": PLAIN,
            "pare": PLAIN,
            "paren": PLAIN,
            "detener": PLAIN,
            "basta": PLAIN,
            "salir": PLAIN,
            "ya no": PLAIN,
            "borrar": PLAIN,
            "borrame": PLAIN,
            "eliminar": PLAIN,
            "desuscribir": PLAIN,
            "cancelar suscripcion": PLAIN,
            "cancelar": PLAIN,
            "terminar": PLAIN,
            "fin": PLAIN,
        },
        ambiguous=frozenset({"cancelar", "terminar", "fin", "borrar", "eliminar", "ya no"}),
        opt_in={
            **_START,
            "alta": PLAIN,
            "iniciar": PLAIN,
            "comenzar": PLAIN,
            "empezar": PLAIN,
            "suscribir": PLAIN,
        },
        agreement=frozenset({"si", "si por favor"}),
        help={"ayuda": TWILIO_ES, **_INFO, "informacion": PLAIN},
        courtesy=frozenset("por favor porfavor porfa gracias hola ya ahora senor senora".split()),
        refusals=(
            (
                r"no (?:me |nos )?(?:envie|envies|envien|mande|mandes|manden) "
                r"(?:mas|nada|mensajes|textos|sms)\b"
            ),
            (
                r"no (?:me |nos )?(?:escriba|escribas|escriban|textee|textees|texteen|contacte"
                r"|contactes|contacten)(?: mas\b|$)"
            ),
            r"no (?:quiero|deseo) (?:recibir )?(?:mas |sus |estos )*(?:mensajes|textos|sms)\b",
            r"no mas (?:mensajes|textos|sms)\b",
            (
                r"(?:deje|deja|dejen|pare|para|paren) de (?:enviar|mandar|escribir|textear"
                r"|contactar|enviarme|mandarme|escribirme|textearme|contactarme)\b"
            ),
            r"(?:darme|deme|denme|dame|dar) de baja\b",
            r"dejar de recibir (?:sus |estos |mas )*(?:mensajes|textos|sms)\b",
            (
                r"(?:quiteme|quitenme|quitame|borreme|borrenme|elimineme|eliminenme) "
                r"de (?:su|la|esta) lista\b"
            ),
        ),
        urgent=("urgente", "urgencia", "emergencia"),
        calming=r"(?:no|nada|ninguna|sin|tampoco)(?: (?:es|muy|tan|una|tiene|hay|de))*",
    ),
    "fr": Vocabulary(
        opt_out={
            **_STOP,
            "arret": f"{AWS}; {AWS_FR}",
            "arreter": PLAIN,
            "arretez": PLAIN,
            "cessez": PLAIN,
            "desabonner": PLAIN,
            "desabonnez moi": PLAIN,
            "desabonnement": PLAIN,
            "me desabonner": PLAIN,
            "desinscrire": PLAIN,
            "desinscription": PLAIN,
            "supprimer": PLAIN,
            "ca suffit": PLAIN,
            "annuler": PLAIN,
            "annulez": PLAIN,
            "resilier": PLAIN,
            "fin": PLAIN,
        },
        ambiguous=frozenset({"annuler", "annulez", "resilier", "fin", "supprimer"}),
        opt_in={**_START, "commencer": PLAIN, "reprendre": PLAIN, "abonner": PLAIN},
        agreement=frozenset({"oui", "oui merci", "daccord"}),
        help={"aide": AWS_FR, **_INFO, "infos": PLAIN},
        courtesy=frozenset(
            "svp stp sil vous te plait merci bonjour maintenant monsieur madame".split()
        ),
        refusals=(
            (
                r"(?:arretez|arrete|cessez) (?:de |d)(?:m |me |nous )?"
                r"(?:menvoyer|mecrire|envoyer|ecrire|contacter|texter|harceler)"
            ),
            r"(?:arretez|arrete|stop) (?:avec )?(?:vos|les|ces|tous les) (?:sms|textos|messages)\b",
            (
                r"ne (?:me|nous|m) ?(?:contactez|contacte|textez|envoyez|envoie|ecrivez|ecris) "
                r"(?:plus|pas)\b"
            ),
            r"ne (?:menvoyez|mecrivez|menvoie|mecris) (?:plus|pas)\b",
            r"nenvoyez plus\b",
            r"^plus de (?:sms|textos|messages)\b",
            (
                r"(?:veux|souhaite|desire|voulons) (?:plus|pas) (?:recevoir |avoir )?"
                r"(?:de |vos |ces |d)?(?:sms|textos|messages)\b"
            ),
            r"(?:retirez|enlevez|supprimez) (?:moi|mon numero)(?: de (?:votre|la|cette) liste|$)",
            r"(?:me desabonner|me desabonne|desabonnez moi|me desinscrire|desinscrivez moi)\b",
        ),
        urgent=("urgent", "urgente", "urgence", "urgences"),
        calming=r"(?:pas|rien|aucune|non|sans|jamais)(?: (?:une|d|tres|si|vraiment|du tout|de))*",
    ),
    "de": Vocabulary(
        opt_out={
            **_STOP,
            "abmelden": PLAIN,
            "abmeldung": PLAIN,
            "abbestellen": PLAIN,
            "austragen": PLAIN,
            "aufhoren": PLAIN,
            "aufhoeren": PLAIN,
            "hor auf": PLAIN,
            "horen sie auf": PLAIN,
            "loschen": PLAIN,
            "loeschen": PLAIN,
            "keine sms": PLAIN,
            "keine sms mehr": PLAIN,
            "beenden": PLAIN,
            "ende": PLAIN,
            "schluss": PLAIN,
            "kundigen": PLAIN,
            "kuendigen": PLAIN,
            "stornieren": PLAIN,
        },
        ambiguous=frozenset(
            {"beenden", "ende", "kundigen", "kuendigen", "stornieren", "loschen", "loeschen"}
        ),
        opt_in={**_START, "anmelden": PLAIN, "starten": PLAIN},
        agreement=frozenset({"ja", "ja bitte", "ja gerne"}),
        help={"hilfe": PLAIN, **_INFO},
        courtesy=frozenset("bitte danke hallo jetzt sofort vielen dank guten tag".split()),
        refusals=(
            r"keine (?:weiteren )?(?:sms|nachrichten|texte|mitteilungen) mehr\b",
            r"(?:keine weiteren|nie wieder) (?:sms|nachrichten)\b",
            r"(?:schreiben|schicken|senden) sie (?:mir|uns) (?:bitte )?keine (?:sms|nachrichten)\b",
            r"keine (?:weitere )?werbung mehr\b",
            r"(?:streichen|loschen|entfernen) sie mich (?:aus|von) (?:der|ihrer|dieser) liste\b",
            (
                r"(?:mir|uns|mich) (?:bitte )?(?:nicht|nie) (?:mehr|wieder) "
                r"(?:schreiben|schreibt|anschreiben|kontaktieren|simsen|schicken)\b"
            ),
            (
                r"(?:schreiben|kontaktieren) sie (?:mir|mich|uns) (?:bitte )?(?:nicht|nie) "
                r"(?:mehr|wieder)\b"
            ),
            (
                r"(?:aus|von) (?:der|ihrer|dieser|eurer) liste "
                r"(?:streichen|loschen|nehmen|entfernen)\b"
            ),
            r"(?:horen sie|hort|hor) (?:bitte )?auf (?:mir |mich |uns )?(?:zu |mit )",
            r"(?:will|mochte) (?:mich )?(?:abmelden|austragen)\b",
        ),
        urgent=("dringend", "notfall", "notfalle", "eilt"),
        calming=r"(?:nicht|kein|keine|keinen|nichts|nie)(?: (?:so|sehr|wirklich|besonders|ein))*",
    ),
    "it": Vocabulary(
        opt_out={
            **_STOP,
            "basta": PLAIN,
            "ferma": PLAIN,
            "fermare": PLAIN,
            "fermatevi": PLAIN,
            "disiscrivi": PLAIN,
            "disiscrivimi": PLAIN,
            "disiscrizione": PLAIN,
            "cancellami": PLAIN,
            "cancellatemi": PLAIN,
            "rimuovi": PLAIN,
            "rimuovimi": PLAIN,
            "smettetela": PLAIN,
            "cancella": PLAIN,
            "annulla": PLAIN,
            "annullare": PLAIN,
            "disdici": PLAIN,
        },
        ambiguous=frozenset({"cancella", "annulla", "annullare", "disdici", "rimuovi"}),
        opt_in={**_START, "inizia": PLAIN, "iniziare": PLAIN, "iscrivimi": PLAIN},
        agreement=frozenset({"si", "si grazie"}),
        help={"aiuto": PLAIN, **_INFO, "informazioni": PLAIN},
        courtesy=frozenset("per favore grazie prego ciao buongiorno adesso subito ora".split()),
        refusals=(
            (
                r"non (?:mi |ci )?(?:mandate|mandatemi|inviate|inviatemi|scrivete|scrivetemi"
                r"|mandarmi|inviarmi|scrivermi|contattate|contattatemi|contattarmi)(?: \w+)? ?piu\b"
            ),
            (
                r"non (?:mandatemi|inviatemi|scrivetemi|contattatemi) "
                r"(?:piu|altri|altro|sms|messaggi)\b"
            ),
            r"(?:basta|niente|stop) (?:con )?(?:i |gli |questi )?(?:messaggi|sms)\b",
            r"non voglio (?:piu )?(?:ricevere )?(?:i |altri |piu |vostri )*(?:messaggi|sms)\b",
            (
                r"(?:smettete|smettetela|smetti|smettila) di "
                r"(?:scriver|mandar|inviar|contattar|messaggiar)"
            ),
            r"(?:toglietemi|cancellatemi|rimuovetemi) (?:dalla|da) (?:vostra |questa )?lista\b",
        ),
        urgent=("urgente", "urgenza", "emergenza"),
        calming=r"(?:non|niente|nulla|nessuna|senza)(?: (?:e|di|molto|cosi|una|ce|davvero))*",
    ),
    "nl": Vocabulary(
        opt_out={
            **_STOP,
            "stoppen": PLAIN,
            "afmelden": PLAIN,
            "uitschrijven": PLAIN,
            "schrijf me uit": PLAIN,
            "schrijf mij uit": PLAIN,
            "meld me af": PLAIN,
            "verwijderen": PLAIN,
            "hou op": PLAIN,
            "houd op": PLAIN,
            "geen sms": PLAIN,
            "opzeggen": PLAIN,
            "annuleren": PLAIN,
            "einde": PLAIN,
        },
        ambiguous=frozenset({"opzeggen", "annuleren", "einde", "verwijderen"}),
        opt_in={**_START, "aanmelden": PLAIN, "starten": PLAIN, "hervatten": PLAIN},
        agreement=frozenset({"ja", "ja graag", "ja hoor"}),
        help={"hulp": PLAIN, "help": BRAZE, **_INFO},
        courtesy=frozenset("alstublieft aub alsjeblieft ajb bedankt dank u hallo nu graag".split()),
        refusals=(
            r"geen (?:enkele )?(?:sms|smsje|smsjes|berichten|berichtjes|appjes) meer\b",
            r"stop met (?:het )?(?:sturen|smsen|sms|appen|berichten|mij|me)\b",
            (
                r"stuur (?:mij|me|ons) (?:aub |alstublieft )?"
                r"(?:geen (?:sms|smsjes|berichten)|niets meer|nooit meer|niet meer)\b"
            ),
            (
                r"(?:sms|app|schrijf|contacteer) (?:mij|me|ons) (?:aub |alstublieft )?"
                r"(?:niet|nooit)(?: meer\b|$)"
            ),
            r"wil geen (?:sms|smsjes|berichten)\b",
            (
                r"(?:haal|verwijder|schrap) (?:mij|me|mijn nummer) (?:van|uit) "
                r"(?:de|deze|uw|jullie) (?:lijst|bestand)\b"
            ),
            r"schrijf (?:mij|me) uit\b",
            r"(?:wil|mag) (?:me|mij) (?:afmelden|uitschrijven)\b",
        ),
        urgent=("dringend", "spoed", "spoedgeval", "noodgeval"),
        calming=r"(?:niet|geen|niks|niets|nooit)(?: (?:zo|echt|heel|erg|een))*",
    ),
    "pt": Vocabulary(
        opt_out={
            **_STOP,
            "parar": PLAIN,
            "pare": PLAIN,
            "parem": PLAIN,
            "sair": PLAIN,
            "remover": PLAIN,
            "descadastrar": PLAIN,
            "desinscrever": PLAIN,
            "nao quero mais": PLAIN,
            "nao mais": PLAIN,
            "chega": PLAIN,
            "cancelar": PLAIN,
            "anular": PLAIN,
            "terminar": PLAIN,
            "fim": PLAIN,
        },
        ambiguous=frozenset({"cancelar", "anular", "terminar", "fim", "remover", "nao quero mais"}),
        opt_in={**_START, "iniciar": PLAIN, "comecar": PLAIN, "voltar": PLAIN, "reativar": PLAIN},
        agreement=frozenset({"sim", "sim por favor"}),
        help={"ajuda": PLAIN, **_INFO, "informacao": PLAIN},
        courtesy=frozenset("por favor obrigado obrigada ola oi agora ja bom dia".split()),
        refusals=(
            r"nao (?:me |nos )?(?:envie|enviem|mande|mandem) (?:mais|nada|mensagens|sms)\b",
            (
                r"nao (?:me |nos )?(?:escreva|escrevam|contate|contatem|contacte|contactem)"
                r"(?: mais\b|$)"
            ),
            (
                r"(?:pare|parem|para|deixe|deixem) de (?:me )?"
                r"(?:enviar|mandar|escrever|contatar|contactar)"
            ),
            (
                r"nao (?:quero|desejo) (?:mais )?(?:receber )?(?:mais )?(?:as |suas |estas )*"
                r"(?:mensagens|sms|torpedos)\b"
            ),
            r"(?:chega|basta) de (?:mensagens|sms)\b",
            (
                r"(?:me )?(?:tire|tirem|remova|removam|retire)(?: me)? (?:da|desta|dessa) "
                r"(?:sua )?lista\b"
            ),
        ),
        urgent=("urgente", "urgencia", "emergencia"),
        calming=r"(?:nao|nada|nenhuma|sem)(?: (?:e|muito|tao|uma|ha|tem))*",
    ),
}
