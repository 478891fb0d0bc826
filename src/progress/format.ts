/** Quantities as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Powers of 1000, three digits: `999 B`, `1.23 MB`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `0.04s`, `12.3s`, `2m03s`, `1h02m`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.995) return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)}s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** An image's name without what Docker fills in by itself. */
export function shortName(name: string): string {
  return name.replace(/^docker\.io\/(library\/(?=[^/]+$))?/, '');
}
