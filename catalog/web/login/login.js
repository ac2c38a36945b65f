const form = document.getElementById("login");
const field = document.getElementById("token");
const problem = document.getElementById("problem");

async function login(token) {
  problem.textContent = "";
  let response;
  try {
    response = await fetch("api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
  } catch {
    problem.textContent = "The service does not answer.";
    return;
  }
  if (response.ok) {
    location.replace("./");
    return;
  }
  const { detail } = await response.json().catch(() => ({}));
  problem.textContent = detail ?? response.statusText;
  field.select();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  login(field.value);
});

const linked = new URLSearchParams(location.hash.slice(1)).get("token");
if (linked) {
  // First of all the token leaves the address bar and the history, where others could read it.
  history.replaceState(null, "", location.pathname);
  login(linked);
}
