// The time that is left of each callback, by the server's clock.
const board = document.querySelector(".board");
if (board) {
  const ahead = new Date(board.dataset.now).getTime() - Date.now();
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const told = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return fill(board.dataset.seconds, { seconds });
    if (minutes < 60) return fill(board.dataset.minutes, { minutes });
    return fill(board.dataset.hours, { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  };
  const show = () => {
    for (const due of board.querySelectorAll("time[data-due]")) {
      const left = Math.round((new Date(due.dateTime).getTime() - Date.now() - ahead) / 1000);
      const text = fill(left < 0 ? board.dataset.late : board.dataset.left, { time: told(Math.abs(left)) });
      if (due.textContent !== text) due.textContent = text;
      due.closest(".debt").classList.toggle("overdue", left < 0);
    }
  };
  show();
  setInterval(show, 1000);
}
