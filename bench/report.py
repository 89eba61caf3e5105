"""The results of bench/compare as text, as Markdown and as a chart."""

import os
import platform
import statistics

COLOURS = {"pgsluice": "#2f7d4f", "also": "#8fbf9f", "pg_dump": "#7a8799", "pgcopydb": "#b0876a"}


def median(results, field):
    return statistics.median(getattr(result, field) for result in results)


def best_peer(row):
    walls = [median(results, "wall") for tool, results in row["results"].items()
             if tool not in ("pgsluice", "also")]
    return min(walls) if walls else None


def ratio(row):
    """Of pgsluice's wall time to the better peer's, or over a link to pg_dump's own for the definitions."""
    ours = row["results"].get("pgsluice")
    against = row["dump_seconds"] or best_peer(row)
    return median(ours, "wall") / against if ours and against else None


def table(rows, args):
    lines = ["| data | size | tool | wall s (each run) | own CPU s | servers' CPU s | memory MB | ratio |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        for tool, results in row["results"].items():
            walls = ", ".join(f"{result.wall:.1f}" for result in results)
            shown = ratio(row) if tool == "pgsluice" else None
            tool = f"pgsluice {args.also}" if tool == "also" else tool
            lines.append(
                f"| {row['name']} | {row['size']} | {tool} | **{median(results, 'wall'):.2f}** ({walls}) "
                f"| {median(results, 'cpu'):.2f} | {median(results, 'server_cpu'):.1f} "
                f"| {median(results, 'memory') / 2**20:.0f} | {'' if shown is None else f'**{shown:.2f}**'} |")
        if row["dump_seconds"]:
            lines.append(f"| {row['name']} | | pg_dump, definitions only | {row['dump_seconds']:.2f} | | | | |")
    return "\n".join(lines)


def chart(rows):
    """Bars of the median wall times, each data set in shares of its slowest tool."""
    height, left, width, y, parts = 16, 110, 460, 24, []
    for row in rows:
        walls = {tool: median(results, "wall") for tool, results in row["results"].items()}
        parts.append(f'<text x="8" y="{y + 12}" font-weight="bold">{row["name"]}</text>')
        for tool, wall in walls.items():
            length = max(1, width * wall / max(walls.values()))
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="{height - 3}" fill="{COLOURS[tool]}"/>')
            parts.append(f'<text x="{left + length + 6:.0f}" y="{y + 11}">{tool} {wall:.1f} s</text>')
            y += height
        y += 12
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{y}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            f'<text x="8" y="15">Wall seconds of a whole clone, median; shorter is better</text>' + "".join(parts) +
            "</svg>\n")


def write_report(rows, args):
    text = table(rows, args)
    print("\n" + text)
    if not args.report:
        return
    picture = os.path.splitext(args.report)[0] + ".svg"
    with open(picture, "w", encoding="utf8") as file:
        file.write(chart(rows))
    with open(args.report, "w", encoding="utf8") as file:
        file.write(f"# bench/compare\n\n{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
                   f"PostgreSQL {args.server}, fsync {'on' if args.fsync else 'off'}, {args.jobs} jobs of each kind, "
                   f"scale {args.scale:g}, {args.rounds} rounds"
                   f"{', link ' + args.link if args.link else ''}; memory: all processes of the tool together.\n\n"
                   f"![chart]({os.path.basename(picture)})\n\n{text}\n")
    print(f"\nwritten: {args.report} and {picture}")
