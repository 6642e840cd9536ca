"""Where the demo listings are: cities of East Africa and of the world, as they are. `listings.py` draws from them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class City:
    """One city, by its usual English name."""

    name: str
    country: str
    """ISO 3166-1 alpha-2."""
    latitude: float
    longitude: float
    """Of its centre, in degrees."""
    timezone: str
    weight: int
    """How many listings it has beside the others."""
    price: int
    """In birr: what a simple place for two costs for a night."""
    water: str = ""
    """`lake` or `sea`, where it lies at one."""


_TABLE = """
Addis Ababa|ET|9.030|38.740|Africa/Addis_Ababa|60|4200|
Bahir Dar|ET|11.594|37.391|Africa/Addis_Ababa|24|3200|lake
Gondar|ET|12.603|37.452|Africa/Addis_Ababa|16|2800|
Lalibela|ET|12.032|39.047|Africa/Addis_Ababa|14|3400|
Hawassa|ET|7.050|38.476|Africa/Addis_Ababa|18|3000|lake
Dire Dawa|ET|9.593|41.866|Africa/Addis_Ababa|9|2600|
Harar|ET|9.312|42.118|Africa/Addis_Ababa|9|2500|
Mekelle|ET|13.497|39.475|Africa/Addis_Ababa|9|2600|
Axum|ET|14.130|38.720|Africa/Addis_Ababa|8|2600|
Jimma|ET|7.674|36.835|Africa/Addis_Ababa|6|2200|
Arba Minch|ET|6.039|37.550|Africa/Addis_Ababa|10|2900|lake
Adama|ET|8.541|39.269|Africa/Addis_Ababa|9|2500|
Bishoftu|ET|8.752|38.979|Africa/Addis_Ababa|12|3600|lake
Debre Birhan|ET|9.679|39.533|Africa/Addis_Ababa|4|1900|
Shashamane|ET|7.201|38.600|Africa/Addis_Ababa|4|1900|
Jijiga|ET|9.350|42.800|Africa/Addis_Ababa|4|2200|
Nairobi|KE|-1.286|36.817|Africa/Nairobi|46|5600|
Mombasa|KE|-4.044|39.668|Africa/Nairobi|30|5200|sea
Kisumu|KE|-0.092|34.768|Africa/Nairobi|12|3800|lake
Nakuru|KE|-0.303|36.080|Africa/Nairobi|12|3600|lake
Naivasha|KE|-0.717|36.431|Africa/Nairobi|16|5400|lake
Malindi|KE|-3.218|40.117|Africa/Nairobi|14|4800|sea
Lamu|KE|-2.272|40.902|Africa/Nairobi|12|6200|sea
Nanyuki|KE|0.006|37.074|Africa/Nairobi|12|5600|
Eldoret|KE|0.514|35.270|Africa/Nairobi|8|3000|
Diani Beach|KE|-4.279|39.595|Africa/Nairobi|20|6400|sea
Dar es Salaam|TZ|-6.792|39.208|Africa/Dar_es_Salaam|28|4900|sea
Zanzibar|TZ|-6.165|39.199|Africa/Dar_es_Salaam|30|6600|sea
Arusha|TZ|-3.387|36.683|Africa/Dar_es_Salaam|20|5200|
Moshi|TZ|-3.335|37.340|Africa/Dar_es_Salaam|14|4200|
Mwanza|TZ|-2.516|32.900|Africa/Dar_es_Salaam|10|3500|lake
Dodoma|TZ|-6.173|35.742|Africa/Dar_es_Salaam|6|3100|
Tanga|TZ|-5.069|39.099|Africa/Dar_es_Salaam|5|2900|sea
Kampala|UG|0.316|32.582|Africa/Kampala|28|4300|
Entebbe|UG|0.064|32.464|Africa/Kampala|16|4600|lake
Jinja|UG|0.424|33.204|Africa/Kampala|14|4100|lake
Fort Portal|UG|0.671|30.275|Africa/Kampala|9|3700|
Kabale|UG|-1.249|29.990|Africa/Kampala|7|3500|
Gulu|UG|2.775|32.299|Africa/Kampala|5|2700|
Kigali|RW|-1.944|30.062|Africa/Kigali|26|5000|
Gisenyi|RW|-1.703|29.256|Africa/Kigali|10|4600|lake
Musanze|RW|-1.500|29.635|Africa/Kigali|9|4800|
Huye|RW|-2.597|29.739|Africa/Kigali|5|3000|
Bujumbura|BI|-3.376|29.360|Africa/Bujumbura|8|3400|lake
Djibouti|DJ|11.588|43.145|Africa/Djibouti|8|7200|sea
Hargeisa|SO|9.560|44.065|Africa/Mogadishu|6|3300|
Mogadishu|SO|2.046|45.318|Africa/Mogadishu|5|4200|sea
Asmara|ER|15.323|38.925|Africa/Asmara|8|3700|
Massawa|ER|15.610|39.450|Africa/Asmara|4|3300|sea
Khartoum|SD|15.500|32.560|Africa/Khartoum|6|3300|
Port Sudan|SD|19.616|37.216|Africa/Khartoum|4|3000|sea
Juba|SS|4.852|31.582|Africa/Juba|5|5200|
Victoria|SC|-4.619|55.452|Indian/Mahe|9|16000|sea
Antananarivo|MG|-18.879|47.508|Indian/Antananarivo|8|3400|
Port Louis|MU|-20.161|57.499|Indian/Mauritius|12|8600|sea
Moroni|KM|-11.702|43.255|Indian/Comoro|3|4600|sea
Lusaka|ZM|-15.416|28.283|Africa/Lusaka|9|4800|
Livingstone|ZM|-17.842|25.854|Africa/Lusaka|10|6200|
Harare|ZW|-17.829|31.053|Africa/Harare|8|5600|
Lilongwe|MW|-13.963|33.774|Africa/Blantyre|6|3800|
Maputo|MZ|-25.969|32.573|Africa/Maputo|9|5200|sea
Kinshasa|CD|-4.322|15.307|Africa/Kinshasa|7|7000|
Goma|CD|-1.679|29.222|Africa/Lubumbashi|5|4800|lake
Cape Town|ZA|-33.925|18.424|Africa/Johannesburg|26|9200|sea
Johannesburg|ZA|-26.204|28.047|Africa/Johannesburg|18|6800|
Durban|ZA|-29.859|31.022|Africa/Johannesburg|12|6400|sea
Windhoek|NA|-22.560|17.066|Africa/Windhoek|7|6000|
Gaborone|BW|-24.628|25.923|Africa/Gaborone|5|5600|
Lagos|NG|6.455|3.394|Africa/Lagos|16|6200|sea
Abuja|NG|9.058|7.495|Africa/Lagos|8|5800|
Accra|GH|5.560|-0.205|Africa/Accra|14|6000|sea
Dakar|SN|14.693|-17.447|Africa/Dakar|10|6200|sea
Abidjan|CI|5.360|-4.008|Africa/Abidjan|8|6200|sea
Cairo|EG|30.044|31.236|Africa/Cairo|22|4800|
Alexandria|EG|31.200|29.919|Africa/Cairo|10|4300|sea
Marrakesh|MA|31.630|-7.981|Africa/Casablanca|18|7200|
Casablanca|MA|33.573|-7.590|Africa/Casablanca|10|6800|sea
Tunis|TN|36.806|10.182|Africa/Tunis|9|5200|sea
Dubai|AE|25.205|55.271|Asia/Dubai|24|15500|sea
Abu Dhabi|AE|24.454|54.377|Asia/Dubai|10|14500|sea
Doha|QA|25.285|51.531|Asia/Qatar|9|13500|sea
Riyadh|SA|24.714|46.675|Asia/Riyadh|10|11500|
Jeddah|SA|21.543|39.173|Asia/Riyadh|10|11500|sea
Muscat|OM|23.588|58.383|Asia/Muscat|8|10500|sea
Amman|JO|31.954|35.911|Asia/Amman|9|8600|
Beirut|LB|33.894|35.502|Asia/Beirut|7|9800|sea
Tel Aviv|IL|32.085|34.782|Asia/Jerusalem|8|21000|sea
Istanbul|TR|41.008|28.978|Europe/Istanbul|22|9400|sea
London|GB|51.507|-0.128|Europe/London|24|22500|
Edinburgh|GB|55.953|-3.188|Europe/London|10|18500|sea
Dublin|IE|53.350|-6.260|Europe/Dublin|9|21000|sea
Paris|FR|48.857|2.352|Europe/Paris|24|20500|
Nice|FR|43.710|7.262|Europe/Paris|9|17000|sea
Amsterdam|NL|52.368|4.904|Europe/Amsterdam|12|21500|
Brussels|BE|50.850|4.352|Europe/Brussels|8|15500|
Berlin|DE|52.520|13.405|Europe/Berlin|16|15000|
Munich|DE|48.137|11.575|Europe/Berlin|8|17500|
Vienna|AT|48.208|16.373|Europe/Vienna|10|15500|
Zurich|CH|47.377|8.541|Europe/Zurich|7|25000|lake
Geneva|CH|46.204|6.143|Europe/Zurich|6|24000|lake
Rome|IT|41.903|12.496|Europe/Rome|18|16500|
Milan|IT|45.464|9.190|Europe/Rome|10|17000|
Madrid|ES|40.417|-3.704|Europe/Madrid|14|14500|
Barcelona|ES|41.385|2.173|Europe/Madrid|16|16500|sea
Lisbon|PT|38.722|-9.139|Europe/Lisbon|16|14500|sea
Athens|GR|37.984|23.728|Europe/Athens|12|11800|
Prague|CZ|50.076|14.438|Europe/Prague|10|11500|
Budapest|HU|47.498|19.040|Europe/Budapest|10|10500|
Warsaw|PL|52.230|21.012|Europe/Warsaw|8|10500|
Copenhagen|DK|55.676|12.568|Europe/Copenhagen|8|20500|sea
Stockholm|SE|59.329|18.069|Europe/Stockholm|8|18500|sea
Oslo|NO|59.914|10.752|Europe/Oslo|7|19000|sea
Helsinki|FI|60.170|24.938|Europe/Helsinki|6|16500|sea
New York|US|40.713|-74.006|America/New_York|22|27500|
San Francisco|US|37.775|-122.419|America/Los_Angeles|12|25500|sea
Washington|US|38.907|-77.037|America/New_York|9|21000|
Minneapolis|US|44.978|-93.265|America/Chicago|6|15500|lake
Toronto|CA|43.653|-79.383|America/Toronto|12|18000|lake
Vancouver|CA|49.283|-123.121|America/Vancouver|9|20000|sea
Mexico City|MX|19.433|-99.133|America/Mexico_City|12|9200|
Bogota|CO|4.711|-74.072|America/Bogota|9|6800|
Lima|PE|-12.046|-77.043|America/Lima|8|7200|sea
Rio de Janeiro|BR|-22.907|-43.173|America/Sao_Paulo|14|9400|sea
Sao Paulo|BR|-23.551|-46.633|America/Sao_Paulo|9|8200|
Buenos Aires|AR|-34.604|-58.382|America/Argentina/Buenos_Aires|12|8200|
Mumbai|IN|19.076|72.878|Asia/Kolkata|12|7800|sea
Kathmandu|NP|27.717|85.324|Asia/Kathmandu|7|4300|
Colombo|LK|6.927|79.861|Asia/Colombo|8|5600|sea
Bangkok|TH|13.756|100.502|Asia/Bangkok|16|7600|
Singapore|SG|1.352|103.820|Asia/Singapore|9|19500|sea
Kuala Lumpur|MY|3.139|101.687|Asia/Kuala_Lumpur|9|7000|
Tokyo|JP|35.676|139.650|Asia/Tokyo|16|15500|
Seoul|KR|37.567|126.978|Asia/Seoul|10|13000|
Sydney|AU|-33.869|151.209|Australia/Sydney|12|20500|sea
Auckland|NZ|-36.848|174.763|Pacific/Auckland|7|17500|sea
"""


def _read(line: str) -> City:
    name, country, latitude, longitude, timezone, weight, price, water = line.split("|")
    return City(name, country, float(latitude), float(longitude), timezone, int(weight), int(price), water)


CITIES = tuple(map(_read, _TABLE.strip().splitlines()))
"""Name, country, latitude, longitude, time zone, weight, price, water."""
