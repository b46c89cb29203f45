import requests

headers = {
    'Authorization': 'Bearer YOUR_API_KEY',
    'Accept': 'application/json',
    'Content-Type': 'application/json'
}

response = requests.get('https://app.cometly.com/public-api/v1/events', headers=headers)
