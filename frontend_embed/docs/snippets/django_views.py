# billing/views.py
import json
from urllib.request import Request, urlopen

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


@csrf_exempt  # it changes nothing, and no other origin can read the answer
@require_POST
@login_required
def credits_token(request):
    """What token-url asks for: a token for the customer whose page this is, and for nobody else."""
    question = Request(
        f"{settings.SCRIP_URL}/v1/embed-token",
        data=json.dumps({
            "customer": request.user.account_key,
            "ttlSeconds": 600,
            "origins": [f"{request.scheme}://{request.get_host()}"],  # good on this site alone; payments lead back to it
        }).encode(),
        headers={"authorization": f"Bearer {settings.SCRIP_SECRET_KEY}", "content-type": "application/json"},
    )
    with urlopen(question, timeout=5) as answer:
        return JsonResponse(json.load(answer))
