"""What the office says in each language that we know, unless it has words of its own.

All in characters of GSM-7 (`core.text`), which costs some accents: where a word would have needed
one that is not in there, another word was taken. Names of days and months are spelt right all the
same; the French `aout` is right too, since 1990.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language's words. The texts are templates of `{office}` and `{office_number|…}`."""

    name: str  #: in English
    first_text: str  #: to a caller who was missed
    voicemail_text: str  #: to one who left a message
    second_text: str  #: the next business day: about the call, no offer, with a way out
    mail_subject: str
    mail: str  #: to a caller whose e-mail address is known; may have any characters
    opted_out: str  #: answers STOP; nothing in it may be advertising
    opted_in: str  #: answers START
    help: str  #: answers HELP: who this is, and whom to ask
    urgent_taken: str  #: `{colleague}` took it, and will call
    urgent_nobody: str  #: nobody could be reached yet
    days: tuple[str, str, str, str, str, str, str]  #: from Monday
    twelve_hours: bool = False  #: 3:05 pm rather than 15:05
    months: tuple[str, ...]  #: from January
    today: str  #: `{clock}` is the time of day, in these and the following
    tomorrow: str
    this_week: str  #: `{day}` is its name
    later: str  #: `{date}` is the day of the month, `{month}` its name
    first: str = "1"  #: day of the month


LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        name="English",
        first_text=(
            "Hello, this is {office}. Sorry that we missed your call just now."
            " We will call you back as soon as we can. Reply STOP to opt out."
        ),
        voicemail_text=(
            "Hello, this is {office}. Thank you for your message, we have got it. We will call"
            " you back as soon as we can. Reply STOP to opt out."
        ),
        second_text=(
            "Hello, this is {office} about your call, which we missed. Do you still need us?"
            " Call {office_number|us} or reply. Reply STOP to opt out."
        ),
        mail_subject="Your call to {office}",
        mail=(
            "Hello,\n\nthis is {office}. You called us, and we are sorry that we missed your"
            " call. If you still need us, call {office_number|us} or reply to this"
            " e-mail.\n\nIf you want no more messages from us, reply STOP."
        ),
        opted_out="{office}: you will get no more texts from us. Reply START to get them again.",
        opted_in=(
            "{office}: you will again get a text when we miss your call."
            " Reply HELP for help, STOP to get no more."
        ),
        help=(
            "{office}: we text you when we miss your call. Questions? Call"
            " {office_number|our office}. Reply STOP to get no more texts."
        ),
        urgent_taken="This is {office}. {colleague} will call you right away.",
        urgent_nobody=(
            "This is {office}. We could not reach anybody yet. We will call you as soon as we can."
        ),
        days=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        twelve_hours=True,
        months=(
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ),
        today="today at {clock}",
        tomorrow="tomorrow at {clock}",
        this_week="{day} at {clock}",
        later="{day} {date} {month} at {clock}",
    ),
    "es": Language(
        name="Spanish",
        first_text=(
            "Hola, le escribe {office}. Lamentamos no haber podido atender su llamada."
            " Le llamaremos pronto. Responda STOP para darse de baja."
        ),
        voicemail_text=(
            "Hola, le escribe {office}. Hemos recibido su mensaje de voz, gracias. Le"
            " llamaremos pronto. Responda STOP para darse de baja."
        ),
        second_text=(
            "Hola, le escribe {office} por su llamada, que no pudimos atender. Si nos necesita,"
            " llame a {office_number|nuestra oficina} o responda. STOP para darse de baja."
        ),
        mail_subject="Su llamada a {office}",
        mail=(
            "Hola:\n\nle escribe {office}. Nos llamó y lamentamos no haber podido atender su"
            " llamada. Si todavía nos necesita, llame a {office_number|nuestra oficina} o"
            " responda a este correo.\n\nSi no desea recibir más mensajes nuestros, responda"
            " STOP."
        ),
        opted_out=(
            "{office}: ha cancelado nuestros mensajes de texto."
            " Responda START para volver a recibirlos."
        ),
        opted_in=(
            "{office}: vuelve a recibir un mensaje si no podemos atender su llamada."
            " Responda AYUDA para ayuda, ALTO para cancelar."
        ),
        help=(
            "{office}: le escribimos si no podemos atender su llamada. Para preguntas, llame a"
            " {office_number|nuestra oficina}. Responda ALTO para cancelar."
        ),
        urgent_taken="Le escribe {office}. {colleague} le llama ahora mismo.",
        urgent_nobody=(
            "Le escribe {office}. De momento no hemos localizado a nadie. Le llamaremos pronto."
        ),
        days=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        months=(
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ),
        today="hoy a las {clock}",
        tomorrow="mañana a las {clock}",
        this_week="el {day} a las {clock}",
        later="el {day} {date} de {month} a las {clock}",
    ),
    "fr": Language(
        name="French",
        first_text=(
            "Bonjour, ici {office}. Nous n'avons pas pu prendre votre appel."
            " Nous vous rappellerons. STOP pour ne plus recevoir de SMS."
        ),
        voicemail_text=(
            "Bonjour, ici {office}. Merci pour votre message vocal. Nous vous rappellerons dès"
            " que possible. STOP pour ne plus recevoir de SMS."
        ),
        second_text=(
            "Bonjour, ici {office}. Nous avons manqué votre appel. Besoin de nous ? Appelez"
            " {office_number|notre bureau} ou répondez. STOP pour ne plus recevoir de SMS."
        ),
        mail_subject="Votre appel à {office}",
        mail=(
            "Bonjour,\n\nici {office}. Vous nous avez appelés et nous n'avons malheureusement"
            " pas pu prendre votre appel. Si vous avez encore besoin de nous, appelez"
            " {office_number|notre bureau} ou répondez à cet e-mail.\n\nPour ne plus recevoir"
            " de messages de notre part, répondez STOP."
        ),
        opted_out=(
            "{office} : vous ne recevrez plus de SMS de notre part."
            " Répondez START pour en recevoir à nouveau."
        ),
        opted_in=(
            "{office} : vous recevrez à nouveau un SMS en cas d'appel manqué."
            " Répondez AIDE pour de l'aide, STOP ou ARRET pour ne plus en recevoir."
        ),
        help=(
            "{office} : nous vous écrivons en cas d'appel manqué. Des questions ? Appelez"
            " {office_number|notre bureau}. STOP ou ARRET pour ne plus recevoir de SMS."
        ),
        urgent_taken="Ici {office}. {colleague} vous appelle tout de suite.",
        urgent_nobody=(
            "Ici {office}. Nous n'avons encore joint personne. Nous vous rappelons très vite."
        ),
        days=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        months=(
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "aout",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ),
        today="aujourd'hui à {clock}",
        tomorrow="demain à {clock}",
        this_week="{day} à {clock}",
        later="{day} {date} {month} à {clock}",
        first="1er",
    ),
    "de": Language(
        name="German",
        first_text=(
            "Guten Tag, hier ist {office}. Leider haben wir Ihren Anruf verpasst."
            " Wir rufen Sie so bald wie möglich zurück."
        ),
        voicemail_text=(
            "Guten Tag, hier ist {office}. Vielen Dank, wir haben Ihre Nachricht erhalten und"
            " rufen Sie so bald wie möglich zurück."
        ),
        second_text=(
            "Hier ist {office}. Wir haben Ihren Anruf verpasst. Brauchen Sie uns noch? Rufen"
            " Sie {office_number|uns} an oder antworten Sie. STOP beendet diese SMS."
        ),
        mail_subject="Ihr Anruf bei {office}",
        mail=(
            "Guten Tag,\n\nhier ist {office}. Sie haben uns angerufen, und leider haben wir"
            " Ihren Anruf verpasst. Wenn Sie uns noch brauchen, rufen Sie {office_number|uns}"
            " an oder antworten Sie auf diese E-Mail.\n\nWenn Sie keine Nachrichten mehr von"
            " uns möchten, antworten Sie STOP."
        ),
        opted_out=(
            "{office}: Sie erhalten keine SMS mehr von uns. Mit der Antwort START erhalten Sie"
            " wieder welche."
        ),
        opted_in=(
            "{office}: Sie erhalten wieder eine SMS, wenn wir Ihren Anruf verpassen."
            " Antworten Sie HILFE für Hilfe, STOP zum Abmelden."
        ),
        help=(
            "{office}: Wir schreiben, wenn wir Ihren Anruf verpasst haben. Fragen? Rufen Sie"
            " {office_number|unser Büro} an. STOP beendet diese SMS."
        ),
        urgent_taken="Hier ist {office}. {colleague} ruft Sie gleich an.",
        urgent_nobody=(
            "Hier ist {office}. Wir haben noch niemanden erreicht. Wir rufen Sie bald an."
        ),
        days=(
            "Montag",
            "Dienstag",
            "Mittwoch",
            "Donnerstag",
            "Freitag",
            "Samstag",
            "Sonntag",
        ),
        months=(
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ),
        today="heute um {clock} Uhr",
        tomorrow="morgen um {clock} Uhr",
        this_week="am {day} um {clock} Uhr",
        later="am {day}, dem {date}. {month}, um {clock} Uhr",
    ),
    "it": Language(
        name="Italian",
        first_text=(
            "Buongiorno, qui {office}. Ci dispiace di non aver risposto alla sua chiamata."
            " La richiameremo appena possibile."
        ),
        voicemail_text=(
            "Buongiorno, qui {office}. Abbiamo ricevuto il suo messaggio vocale, grazie. La"
            " richiameremo appena possibile."
        ),
        second_text=(
            "Qui {office}: non abbiamo risposto alla sua chiamata. Le serve ancora aiuto?"
            " Chiami {office_number|il nostro ufficio} o risponda. STOP per non ricevere SMS."
        ),
        mail_subject="La sua chiamata a {office}",
        mail=(
            "Buongiorno,\n\nqui {office}. Ci ha chiamato e ci dispiace di non aver risposto"
            " alla sua chiamata. Se ha ancora bisogno di noi, chiami {office_number|il nostro"
            " ufficio} o risponda a questa e-mail.\n\nSe non desidera ricevere altri messaggi"
            " da noi, risponda STOP."
        ),
        opted_out=(
            "{office}: non riceverà più i nostri SMS. Risponda START per riceverli di nuovo."
        ),
        opted_in=(
            "{office}: riceverà di nuovo un SMS se perdiamo una sua chiamata."
            " Risponda AIUTO per assistenza, STOP per non riceverne altri."
        ),
        help=(
            "{office}: le scriviamo se perdiamo una sua chiamata. Domande? Chiami"
            " {office_number|il nostro ufficio}. Risponda STOP per non ricevere altri SMS."
        ),
        urgent_taken="Qui {office}. {colleague} la chiama subito.",
        urgent_nobody=(
            "Qui {office}. Non abbiamo ancora raggiunto nessuno. La richiameremo appena possibile."
        ),
        days=(
            "lunedì",
            "martedì",
            "mercoledì",
            "giovedì",
            "venerdì",
            "sabato",
            "domenica",
        ),
        months=(
            "gennaio",
            "febbraio",
            "marzo",
            "aprile",
            "maggio",
            "giugno",
            "luglio",
            "agosto",
            "settembre",
            "ottobre",
            "novembre",
            "dicembre",
        ),
        today="oggi alle {clock}",
        tomorrow="domani alle {clock}",
        this_week="{day} alle {clock}",
        later="{day} {date} {month} alle {clock}",
    ),
    "nl": Language(
        name="Dutch",
        first_text=(
            "Goedendag, dit is {office}. Helaas hebben wij uw oproep gemist."
            " Wij bellen u zo snel mogelijk terug."
        ),
        voicemail_text=(
            "Goedendag, dit is {office}. Dank u, wij hebben uw bericht ontvangen. Wij bellen u"
            " zo snel mogelijk terug."
        ),
        second_text=(
            "Goedendag, dit is {office}. Wij misten uw oproep. Heeft u ons nog nodig? Bel"
            " {office_number|ons} of antwoord. STOP om geen sms meer te krijgen."
        ),
        mail_subject="Uw oproep naar {office}",
        mail=(
            "Goedendag,\n\ndit is {office}. U heeft ons gebeld en helaas hebben wij uw oproep"
            " gemist. Heeft u ons nog nodig, bel dan {office_number|ons} of antwoord op deze"
            " e-mail.\n\nWilt u geen berichten meer van ons, antwoord dan STOP."
        ),
        opted_out=(
            "{office}: u ontvangt geen sms meer van ons. Antwoord START om ze weer te ontvangen."
        ),
        opted_in=(
            "{office}: u ontvangt weer een sms als wij uw oproep missen."
            " Antwoord HULP voor hulp, STOP om te stoppen."
        ),
        help=(
            "{office}: wij sturen u een sms als wij uw oproep missen. Vragen? Bel"
            " {office_number|ons kantoor}. Antwoord STOP om geen sms meer te krijgen."
        ),
        urgent_taken="Dit is {office}. {colleague} belt u meteen.",
        urgent_nobody=(
            "Dit is {office}. We hebben nog niemand bereikt. We bellen u zo snel mogelijk."
        ),
        days=(
            "maandag",
            "dinsdag",
            "woensdag",
            "donderdag",
            "vrijdag",
            "zaterdag",
            "zondag",
        ),
        months=(
            "januari",
            "februari",
            "maart",
            "april",
            "mei",
            "juni",
            "juli",
            "augustus",
            "september",
            "oktober",
            "november",
            "december",
        ),
        today="vandaag om {clock} uur",
        tomorrow="morgen om {clock} uur",
        this_week="{day} om {clock} uur",
        later="{day} {date} {month} om {clock} uur",
    ),
    "pt": Language(
        name="Portuguese",
        first_text=(
            "Aqui é {office}. Lamentamos ter perdido a sua chamada. Ligaremos de volta em breve."
        ),
        voicemail_text=(
            "Aqui é {office}. Obrigado, recebemos a sua mensagem de voz. Ligaremos de volta em"
            " breve."
        ),
        second_text=(
            "Aqui é {office}, sobre a sua chamada que perdemos. Ainda precisa de ajuda? Ligue"
            " para {office_number|o nosso telefone} ou responda. STOP para cancelar."
        ),
        mail_subject="A sua chamada para {office}",
        mail=(
            "Bom dia,\n\naqui é {office}. Ligou-nos e lamentamos ter perdido a sua chamada. Se"
            " ainda precisa de nós, ligue para {office_number|o nosso telefone} ou responda a"
            " este e-mail.\n\nSe não quiser receber mais mensagens nossas, responda STOP."
        ),
        opted_out=(
            "{office}: deixou de receber as nossas mensagens. Responda START para voltar a receber."
        ),
        opted_in=(
            "{office}: volta a receber uma mensagem quando perdermos a sua chamada."
            " Responda AJUDA para ajuda, PARAR para cancelar."
        ),
        help=(
            "{office}: enviamos mensagens quando perdemos a sua chamada. Perguntas? Ligue para"
            " {office_number|o nosso telefone}. Responda PARAR para cancelar."
        ),
        urgent_taken="Aqui {office}. {colleague} vai ligar-lhe de imediato.",
        urgent_nobody=(
            "Aqui {office}. Por agora ninguém da nossa equipa atendeu. Ligamos-lhe em breve."
        ),
        days=(
            "segunda-feira",
            "terça-feira",
            "quarta-feira",
            "quinta-feira",
            "sexta-feira",
            "sábado",
            "domingo",
        ),
        months=(
            "janeiro",
            "fevereiro",
            "março",
            "abril",
            "maio",
            "junho",
            "julho",
            "agosto",
            "setembro",
            "outubro",
            "novembro",
            "dezembro",
        ),
        today="hoje às {clock}",
        tomorrow="{day} às {clock}",  # `amanhã` has a character that GSM-7 has not
        this_week="{day} às {clock}",
        later="{day}, {date} de {month}, às {clock}",
    ),
}

#: What callers of an office in a country are likely to write back in, besides English.
SPOKEN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("US", "PR", "ES", "MX", "AR", "CL", "CO", "PE", "EC", "UY", "VE"), ("es",)),
    **dict.fromkeys(("CA", "FR", "MC"), ("fr",)),
    **dict.fromkeys(("DE", "AT", "LI"), ("de",)),
    **dict.fromkeys(("PT", "BR"), ("pt",)),
    **dict.fromkeys(("IT", "SM"), ("it",)),
    "NL": ("nl",),
    "BE": ("nl", "fr", "de"),
    "LU": ("fr", "de"),
    "CH": ("de", "fr", "it"),
}


def language(code: str) -> Language:
    """Give a language's words, English ones for a language that we do not know."""
    return LANGUAGES.get(code, LANGUAGES["en"])
