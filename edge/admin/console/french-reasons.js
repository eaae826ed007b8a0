// Why an attempt was refused, for the customer, in French: by the English sentence with the words that are put into it
// (edge/policy/reasons.py).

export const REASONS = {
  "The address {source} is not known to us: calls must come from the one agreed on.":
    "L’adresse {source} ne nous est pas connue : les appels doivent venir de celle qui a été convenue.",
  "The call named no account that we know; check the header that names it.":
    "L’appel ne désignait aucun compte que nous connaissions ; vérifiez l’en-tête qui le désigne.",
  "The call gave no user name and password that we asked for; configure them.":
    "L’appel n’a pas donné le nom d’utilisateur et le mot de passe demandés ; configurez-les.",
  "The call used an answer to an old question; the equipment should answer anew.":
    "L’appel répondait à une ancienne demande d’authentification ; l’équipement doit répondre à nouveau.",
  "The user name or the password of the call from {source} was wrong.":
    "Le nom d’utilisateur ou le mot de passe de l’appel venu de {source} était faux.",
  "Too many wrong passwords came from {source}, or for that user name; try again later.":
    "Trop de mots de passe faux sont venus de {source}, ou pour cet utilisateur ; réessayez plus tard.",
  "The account {account} is suspended: no calls but those to emergency numbers.":
    "Le compte {account} est suspendu : aucun appel, sauf vers les numéros d’urgence.",
  "The account {account} is closed.":
    "Le compte {account} est clos.",
  "The caller number {cli} may not be presented on this call; present one that this account may show.":
    "Le numéro appelant {cli} ne peut pas être présenté sur cet appel ; présentez-en un que ce compte peut afficher.",
  "The caller number was withheld, which is not allowed here; present one.":
    "Le numéro appelant était masqué, ce qui n’est pas permis ici ; présentez-en un.",
  "The caller number {cli} is no valid number; write it as +33199001234 is written.":
    "Le numéro appelant {cli} n’est pas valable ; écrivez-le comme +33199001234.",
  "The caller number {cli} is not among the numbers of account {account}; present one of them, or have it added.":
    "Le numéro appelant {cli} n’est pas parmi les numéros du compte {account} ; présentez l’un d’eux, ou faites-le ajouter.",
  "P-Asserted-Identity beside the caller number {cli} names a number that account {account} may not present.":
    "P-Asserted-Identity, à côté du numéro appelant {cli}, porte un numéro que le compte {account} ne peut pas présenter.",
  "No call ever begins from {cli}: it is a number that is only called.":
    "Aucun appel ne part jamais du {cli} : ce numéro est seulement appelé.",
  "The called number cannot be read; write it as +33199001234 is written.":
    "Le numéro appelé ne peut pas être lu ; écrivez-le comme +33199001234.",
  "The account {account} may place {ceiling} call attempts a second, and this one came sooner; spread them, or order more.":
    "Le compte {account} a droit à {ceiling} tentatives d’appel par seconde, et celle-ci est venue trop tôt ; étalez-les, ou commandez-en plus.",
  "The account {account} may hold {ceiling} calls at once, and all were in use; order more, or call later.":
    "Le compte {account} a droit à {ceiling} appels simultanés, et tous étaient pris ; commandez-en plus, ou rappelez plus tard.",
  "The balance of account {account} does not pay for the first interval of this call; top it up.":
    "Le solde du compte {account} ne couvre pas le premier intervalle de cet appel ; rechargez-le.",
  "The account {account} has spent what it may spend in this hour or day.":
    "Le compte {account} a dépensé ce qu’il peut dépenser dans l’heure ou la journée.",
  "A minute to {called} costs more than account {account} may pay.":
    "Une minute vers {called} coûte plus que ce que le compte {account} peut payer.",
  "The tariff has no price for {called}.":
    "Le tarif n’a pas de prix pour {called}.",
  "The account {account} may place {ceiling} attempts a second to the destination of {called}.":
    "Le compte {account} a droit à {ceiling} tentatives par seconde vers la destination de {called}.",
  "The account {account} may hold {ceiling} calls at once to the destination of {called}.":
    "Le compte {account} a droit à {ceiling} appels simultanés vers la destination de {called}.",
  "The accounts together with {account} may place {ceiling} call attempts a second.":
    "Les comptes du groupe de {account} ont droit ensemble à {ceiling} tentatives d’appel par seconde.",
  "The accounts together with {account} may hold {ceiling} calls at once.":
    "Les comptes du groupe de {account} ont droit ensemble à {ceiling} appels simultanés.",
  "The accounts together with {account} have spent what they may in this hour or day.":
    "Les comptes du groupe de {account} ont dépensé ensemble ce qu’ils peuvent dans l’heure ou la journée.",
  "The group of account {account} is suspended or closed.":
    "Le groupe du compte {account} est suspendu ou clos.",
  "No trunk takes calls to {called} for what they are sold at.":
    "Aucun faisceau ne prend d’appels vers {called} au prix auquel ils sont vendus.",
  "Every line to {called} was taken; the call may be placed again.":
    "Toutes les lignes vers {called} étaient prises ; l’appel peut être refait.",
  "Consumers such as {called} may be called to sell on the permitted days and hours of their own time zone only.":
    "Un consommateur comme {called} ne peut être démarché qu’aux jours et heures permis de son fuseau horaire.",
  "The person at {called} has refused to be called: no attempt before {days} full calendar days have passed.":
    "La personne au {called} a refusé d’être appelée : aucune tentative avant que {days} jours calendaires entiers soient passés.",
  "No valid consent of {called} to be called is recorded, and no contract in progress; record it with its proof.":
    "Aucun consentement valable de {called} à être appelé n’est enregistré, ni aucun contrat en cours ; enregistrez-le avec sa preuve.",
  "The professional of account {account} has called {called} {ceiling} times, answered or not, in the days that count: all it may.":
    "Le professionnel du compte {account} a appelé {called} {ceiling} fois, avec ou sans réponse, dans les jours qui comptent : c’est tout ce qu’il peut.",
  "Account {account} has called {called} {ceiling} times in a short time.":
    "Le compte {account} a appelé {called} {ceiling} fois en peu de temps.",
  "Too many calls of account {account} from {cli} were so short that nobody could have talked.":
    "Trop d’appels du compte {account} depuis {cli} ont été si courts que personne n’aurait pu parler.",
  "Account {account} may not call {called}, which is abroad.":
    "Le compte {account} ne peut pas appeler {called}, qui est à l’étranger.",
  "Account {account} has placed the {ceiling} calls that it may place in so short a time to destinations such as {called}.":
    "Le compte {account} a passé les {ceiling} appels auxquels il a droit en si peu de temps vers des destinations comme {called}.",
  "Account {account} has spent what it may spend in an hour on destinations such as {called}.":
    "Le compte {account} a dépensé ce qu’il peut dépenser en une heure vers des destinations comme {called}.",
  "Calls to {called} are barred for account {account}.":
    "Les appels vers {called} sont interdits au compte {account}.",
  "We have no route to {called}.":
    "Nous n’avons pas de route vers {called}.",
  "Account {account} may not use the routes to {called}.":
    "Le compte {account} ne peut pas utiliser les routes vers {called}.",
  "The call asked for a privacy that we cannot give, and marked it as critical.":
    "L’appel demandait une confidentialité que nous ne pouvons pas donner, et la déclarait indispensable.",
  "No trunk to {called} takes new calls just now; the call may be placed again later.":
    "Aucun faisceau vers {called} ne prend de nouveaux appels en ce moment ; l’appel peut être refait plus tard.",
  "No trunk to {called} took the call; it may be placed again.":
    "Aucun faisceau vers {called} n’a pris l’appel ; il peut être refait.",
  "We could not look at the account's limits just then; the call may be placed again.":
    "Nous ne pouvions pas consulter les limites du compte à ce moment ; l’appel peut être refait.",
  "We had more to do than we can; the call may be placed again.":
    "Nous avions plus à faire que nous ne pouvons ; l’appel peut être refait.",
  "This node was being stopped; the call may be placed again, at another one.":
    "Ce nœud était en cours d’arrêt ; l’appel peut être refait, vers un autre.",
  "The same call came twice, by two ways; the first one counts.":
    "Le même appel est venu deux fois, par deux chemins ; le premier compte.",
  "We take calls and OPTIONS, no other requests.":
    "Nous prenons les appels et OPTIONS, aucune autre requête.",
  "The message breaks the rules of SIP and could not be read.":
    "Le message enfreint les règles de SIP et n’a pas pu être lu.",
  "The call had passed too many proxies: it goes round, or Max-Forwards is low.":
    "L’appel avait traversé trop de serveurs : il tourne en rond, ou Max-Forwards est trop bas.",
  "The call came back to us: it goes round.":
    "L’appel nous est revenu : il tourne en rond.",
  "The call asks to be refreshed more often than we allow.":
    "L’appel demande à être rafraîchi plus souvent que nous ne le permettons.",
  "The call asks for a SIP extension that we do not have.":
    "L’appel demande une extension de SIP que nous n’avons pas.",
  "The called address is neither sip: nor tel:.":
    "L’adresse appelée n’est ni sip: ni tel:.",
  "The call carries no Identity header, and unsigned calls are cut.":
    "L’appel ne porte pas d’en-tête Identity, et les appels non signés sont coupés.",
  "The date of the call's Identity header is too old.":
    "La date de l’en-tête Identity de l’appel est trop ancienne.",
  "The certificate that the call's Identity header points to cannot be fetched.":
    "Le certificat que désigne l’en-tête Identity de l’appel ne peut pas être obtenu.",
  "The certificate of the call's Identity header is not accepted.":
    "Le certificat de l’en-tête Identity de l’appel n’est pas accepté.",
  "The signature in the call's Identity header does not fit the call.":
    "La signature de l’en-tête Identity ne correspond pas à l’appel.",
};
