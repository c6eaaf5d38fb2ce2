// Fields of a filter: a named period and two dates exclude each other, and what is empty stays out of the address.
for (const form of document.querySelectorAll("form[data-clean]")) {
  const period = form.querySelector("[data-period]");
  const dates = [...form.querySelectorAll("[data-date]")];
  period?.addEventListener("change", () => {
    if (period.value) for (const date of dates) date.value = "";
  });
  for (const date of dates) date.addEventListener("change", () => { if (date.value && period) period.value = ""; });
  const fields = () => [...form.elements].filter((field) => field.name);
  form.addEventListener("submit", () => { for (const field of fields()) field.disabled = !field.value; });
  window.addEventListener("pageshow", () => { for (const field of fields()) field.disabled = false; });
}
