// Swagger UI on our own description. The address is relative, so the page works at the service and behind the gateway.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
