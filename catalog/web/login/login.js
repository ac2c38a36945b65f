const form = document.getElementById("login");
const field = document.getElementById("token");
const said = document.getElementById("said");

async function enter(token) {
  said.textContent = "";
  let answer;
  try {
    answer = await fetch("/api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
  } catch {
    said.textContent = "The service does not answer.";
    return;
  }
  if (answer.ok) {
    location.replace("/");
    return;
  }
  const told = await answer.json().catch(() => ({}));
  said.textContent = told.detail ?? answer.statusText;
  field.select();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(field.value);
});

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  // Out of the address bar and the history before anything else happens.
  history.replaceState(null, "", location.pathname);
  enter(given);
}
